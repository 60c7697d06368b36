# Completion of streamer for bash 4 and newer. It asks the program, so that it fits every version.
_streamer() {
  local program=${1-${COMP_WORDS[0]-}} word=${2-${COMP_WORDS[COMP_CWORD]-}} line reply paths
  line=${COMP_LINE-"${COMP_WORDS[*]-}"}
  [[ $program == "~/"* ]] && program=$HOME/${program:2}
  type -P -- "$program" > /dev/null || program=streamer
  mapfile -t reply < <("$program" __complete bash "${line:0:${COMP_POINT-${#line}}}" "$word" 2> /dev/null)
  COMPREPLY=("${reply[@]:4}")
  case ${reply[0]-} in
    *open*) compopt -o nospace 2> /dev/null ;;&
    *readline*)
      compopt -o bashdefault -o default 2> /dev/null || mapfile -t COMPREPLY < <(compgen -f -- "${reply[1]}")
      ;;
    *files*) mapfile -t paths < <(compgen -f -- "${reply[1]}") ;;&
    *folders*) mapfile -t paths < <(compgen -d -- "${reply[1]}") ;;&
    *files* | *folders*)
      compopt -o filenames 2> /dev/null
      COMPREPLY+=("${paths[@]/#"${reply[2]}"/"${reply[3]}"}")
      ;;
  esac
}
complete -F _streamer streamer
