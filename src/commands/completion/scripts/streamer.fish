# Completion of streamer for fish 3 and newer. It asks the program, so that it fits every version.
function __streamer_complete
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    type -q -- $program; or return
    set -l current (string unescape -- (commandline -ct); or commandline -ct)
    set -l reply ($program __complete fish $words[2..-1] "$current" 2> /dev/null)
    set -l before "$reply[2]"
    set -l path (string sub -s (math (string length -- "$before") + 1) -- "$current")
    set -l left 1
    if string match -q '~/*' -- "$path"
        set before "$before~"
        set path $HOME(string sub -s 2 -- "$path")
        set left (math (string length -- "$HOME") + 1)
    end
    printf '%s\n' $reply[3..-1]
    switch "$reply[1]"
        case '*folders*'
            printf '%s\n' "$before"(string sub -s $left -- (__fish_complete_directories "$path"))
        case '*files*'
            printf '%s\n' "$before"(string sub -s $left -- (__fish_complete_path "$path"))
    end
end
complete -c streamer -f -a '(__streamer_complete)'
