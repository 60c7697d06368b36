# Completion of streamer for bash 4 and newer. It asks the program, so that it fits every version.
_streamer() {
  local program=$1 reply paths
  [[ $program == "~/"* ]] && program=$HOME/${program:2}
  type -P -- "$program" > /dev/null || program=streamer
  mapfile -t reply < <("$program" __complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2> /dev/null)
  COMPREPLY=("${reply[@]:4}")
  case ${reply[0]-} in
    *open*) compopt -o nospace ;;&
    *readline*) compopt -o bashdefault -o default ;;
    *files*) mapfile -t paths < <(compgen -f -- "${reply[1]}") ;;&
    *folders*) mapfile -t paths < <(compgen -d -- "${reply[1]}") ;;&
    *files* | *folders*)
      compopt -o filenames
      COMPREPLY+=("${paths[@]/#"${reply[2]}"/"${reply[3]}"}")
      ;;
  esac
}
complete -F _streamer streamer
