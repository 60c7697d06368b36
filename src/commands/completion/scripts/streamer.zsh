#compdef streamer
# Completion of streamer for zsh. It asks the program, so that it fits every version.
_streamer() {
  local program=${(Q)words[1]/#\~\//$HOME/}
  local -a reply candidates
  reply=("${(@f)$("$program" __complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2> /dev/null)}")
  local marks=$reply[1] hint=$reply[2] found=1
  [[ -n $marks ]] || return 1
  candidates=("${(@)reply[3,-1]}")
  compset -p ${marks%% *}
  if (( $#candidates )); then
    if [[ $marks == *open* ]]; then
      _describe -t values value candidates -S '' && found=0
    else
      _describe -t values value candidates && found=0
    fi
  elif [[ -n $hint && $marks != *(files|folders)* ]]; then
    _message -r "$hint"
  fi
  [[ $marks == *files* ]] && _files && found=0
  [[ $marks == *folders* ]] && _files -/ && found=0
  return found
}
if [[ $funcstack[1] == _streamer ]]; then
  _streamer "$@"
else
  compdef _streamer streamer
fi
