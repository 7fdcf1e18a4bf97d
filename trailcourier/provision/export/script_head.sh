#!/bin/sh
# Creates the AWS side of Trailcourier with the AWS CLI, as `trailcourier setup plan` lists it.
# It needs sh, the AWS CLI and python3 (AWS CloudShell has them). It may be run again: it creates
# nothing twice, corrects what it created, adds its own entries to policies that others edit too,
# and changes no setting of what it did not create. It stops where it cannot read what exists.
set -eu
export AWS_PAGER=
by_hand=0 ours=no result=''
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stop() { printf 'STOPPED: %s\n' "$1" >&2; exit 1; }
step() { printf '%s\n' "$1"; }
tell() { printf '  %s\n' "$1"; }
command -v aws >/dev/null || stop 'the AWS CLI is missing: install aws, then run this again'
command -v python3 >/dev/null || stop 'python3 is missing: install it, then run this again'
# look FILE WHAT CODES COMMAND...: keep the answer in FILE. Only an error with one of CODES means
# that there is none; after any other nobody knows what exists, and the script stops
look() {
  into=$1 what=$2 codes=$3
  shift 3
  if "$@" --output json >"$work/$into" 2>"$work/error"; then return 0; fi
  if [ -n "$codes" ] && grep -Eq "An error occurred \(($codes)\)" "$work/error"; then
    echo '{}' >"$work/$into"
    return 1
  fi
  cat "$work/error" >&2
  stop "cannot look at what exists ($what), so nothing of it is changed.
  If AWS denied it, allow $what. Otherwise correct what the error says, or wait.
  Then run this script again: it continues here."
}
# ask FILE VERB...: have the rules decide about the answer in FILE
ask() {
  from=$1
  shift
  result=$(python3 "$work/rules.py" "$@" <"$work/$from") || stop "python3 failed at $1"
}
# keep FILE NAME: succeed if the answer has that value
keep() {
  ask "$1" output "$2"
  [ -n "$result" ]
}
# change DIFFERENCES OURS: say what is changed, or why nothing is
change() {
  if [ -z "$1" ]; then
    tell unchanged
    return 1
  elif [ "$2" = no ]; then
    tell "skipped: setup did not create it; $1"
    return 1
  fi
  tell "updating: $1"
}
# create OURS PARENT: say that it is created, or that its parent is somebody else's
create() {
  if [ "$1" = no ]; then
    tell "skipped: setup did not create the $2: choose another --name, or do it yourself"
    return 1
  fi
  tell creating
}
cat >"$work/rules.py" <<'RULES'
