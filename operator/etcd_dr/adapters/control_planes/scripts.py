"""The POSIX shell that runs on nodes: sh, coreutils and tar are enough, busybox's among them.

Names in the data scripts:
    d          the data directory, links resolved
    mover      what is renamed: `d` itself, or `d/member` where `d` is a mount point, which cannot be renamed
    aside      `mover` with `.etcd-dr-<recovery id>` after it
    partial    where new data is streamed to before it is renamed; the only thing that is ever removed. Every attempt
               has one of its own, and one that is removed is renamed first: what a command that was killed left running
               on the node can then only fail, or finish with what it has whole
    w          the WAL directory where it lies apart from `mover`, else empty; `w_aside` and `w_partial` likewise
    mark       a file in the member and WAL directories that this recovery placed: they are told from others by it.
               etcd never looks into `member` for names it does not know, and passes over `*.tmp` beside its WAL
               (etcdmain/etcd.go, identifyDataDirOrDie; wal/util.go, checkWalNames).

A rename is the last thing that happens, so a script that was cut off changed nothing or everything. Two scripts on one
directory take turns where the node has flock(1); for twenty seconds only, because one whose command is gone may wait for
its stream until TCP gives up.
"""

from __future__ import annotations

IN_THE_WAY = 10
IS_THERE = 11
IS_ABSENT = 12
STILL_RUNS = 13
DIFFERS = 14

PREAMBLE = """\
set -eu
LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077
pause() { sleep 0.25 2>/dev/null || sleep 1; }
settle() { sync -- "$@" 2>/dev/null || sync; }
"""

PAUSES_PER_SECOND = 4

_PLACES = """\
resolved() { readlink -f -- "$1" 2>/dev/null || printf '%s\\n' "$1"; }
is_mount() {
  while read -r _ _ _ _ point _; do
    if [ "$point" = "$1" ]; then return 0; fi
  done < /proc/self/mountinfo
  return 1
}
d=$(resolved "$1") id=$3 suffix=etcd-dr-$3
mover=$d partial=$d.$suffix.partial
if is_mount "$d"; then
  mover=$d/member partial=$d/.$suffix.partial
fi
aside=$mover.$suffix
member=$d/member mark=etcd-dr-recovery.tmp
w=$2 w_aside= w_partial=
if [ -n "$w" ]; then
  w=$(resolved "$w")
  case $w/ in "$mover"/*) w= ;; esac
fi
if [ -n "$w" ]; then
  w_aside=$w.$suffix w_partial=$w.$suffix.partial
  if is_mount "$w"; then
    echo "the WAL directory $w is a mount point of its own, which cannot be renamed" >&2
    exit 1
  fi
fi
is_ours() { [ -f "$1/$mark" ] && [ "$(cat -- "$1/$mark")" = "$id" ]; }
clear_partials() {
  for old in "$partial"* ${w_partial:+"$w_partial"*}; do
    if [ -e "$old" ]; then
      case $old in *-gone) ;; *) if mv -- "$old" "$old-gone" 2>/dev/null; then old=$old-gone; fi ;; esac
      rm -rf -- "$old"
    fi
  done
}
if command -v flock >/dev/null 2>&1 && [ -d "${d%/*}/" ]; then
  exec 9< "${d%/*}/"
  flock -w 20 9 || true
fi
"""

# What cannot be looked at is never taken for what is not there: a member would be called lost for good.
LOOK = """\
d=$1 w=$2
resolved() { readlink -f -- "$1" 2>/dev/null || printf '%s\\n' "$1"; }
there() {
  if [ -e "$1" ]; then return 0; fi
  if said=$(stat -- "$1" 2>&1); then return 0; fi
  case $said in *"No such file"*|*"Not a directory"*) return 1 ;; esac
  printf '%s\\n' "$said" >&2
  exit 1
}
d=$(resolved "$d")
if [ -n "$w" ]; then w=$(resolved "$w"); else w=$d/member/wal; fi
printf 'directory=%s\\n' "$d"
while read -r device at _; do
  case $device in '#'*|'') continue ;; esac
  case $at in /?*) ;; *) continue ;; esac
  case $d/ in "${at%/}"/*) ;; *) continue ;; esac
  mounted=
  while read -r _ _ _ _ point _; do
    if [ "$point" = "${at%/}" ]; then mounted=1; fi
  done < /proc/self/mountinfo
  if [ -z "$mounted" ]; then printf 'unmounted=%s\\n' "$at"; fi
done 2>/dev/null < /etc/fstab || true
if there "$d"; then
  echo exists=1
  for part in "$d" "$d/member" "$d/member/snap" "$w"; do
    if there "$part"; then ls -- "$part" > /dev/null; fi
  done
fi
if there "$d/member/snap/db"; then printf 'database=%s\\n' "$(stat -c %s -- "$d/member/snap/db")"; fi
for file in "$w"/*.wal; do
  if [ -f "$file" ]; then
    printf 'wal=%s\\n' "${file##*/}"
    printf 'head='
    head -c 4096 -- "$file" | od -An -v -tx1 | tr -d ' \\n'
    echo
    break
  fi
done
for file in "$w"/*.wal "$d/member/snap/db"; do
  if [ -f "$file" ]; then printf 'written=%s\\n' "$(stat -c %Y -- "$file")"; fi
done
for name in "$d".etcd-dr-* "$d"/member.etcd-dr-*; do
  case $name in *.partial*) continue ;; esac
  if [ -d "$name" ]; then printf 'aside=%s\\n' "$name"; fi
done
near=$d
while [ ! -e "$near" ]; do near=$(dirname -- "$near"); done
printf 'free=%s\\n' "$(stat -f -c '%a %S' -- "$near")"
"""

SET_ASIDE = (
    _PLACES
    + """\
if [ -e "$aside" ]; then printf '%s\\n' "$aside"; exit 0; fi
if is_ours "$member"; then exit 0; fi
if [ -n "$w" ] && [ -e "$w" ] && [ ! -e "$w_aside" ] && ! is_ours "$w"; then mv -- "$w" "$w_aside"; fi
if [ -e "$mover" ]; then
  mv -- "$mover" "$aside"
  settle "$(dirname -- "$aside")"
  printf '%s\\n' "$aside"
elif [ -n "$w" ] && [ -e "$w_aside" ]; then
  printf '%s\\n' "$w_aside"
fi
"""
)

# Answers: nothing on standard output where the data is in place already; else the free bytes and the partial name.
PREPARE_PLACE = (
    _PLACES
    + f"""\
if is_ours "$member"; then exit 0; fi
in_the_way() {{ printf '%s\\n' "$1"; exit {IN_THE_WAY}; }}
if [ -e "$member" ]; then in_the_way "$member"; fi
if [ "$mover" = "$d" ] && [ -e "$d" ]; then
  for name in "$d"/* "$d"/.[!.]*; do if [ -e "$name" ]; then in_the_way "$name"; fi; done
fi
if [ -n "$w" ] && [ -e "$w" ] && ! is_ours "$w"; then
  for name in "$w"/*; do if [ -e "$name" ]; then in_the_way "$name"; fi; done
fi
clear_partials
mkdir -p -- "$(dirname -- "$partial")"
printf '%s\\n' "$(stat -f -c '%a %S' -- "$(dirname -- "$partial")")"
printf '%s\\n' "$partial"
"""
)

_OWN_PARTIAL = """\
owner=$4 mode=$5
partial=$partial-$6
if [ -n "$w" ]; then w_partial=$w_partial-$6; fi
trap 'rm -rf -- "$partial" ${w_partial:+"$w_partial"}' EXIT
"""

_COMMIT = """\
if is_ours "$member"; then exit 0; fi
for old in "$aside" "$w_aside"; do
  if [ -n "$old" ] && [ -e "$old" ]; then owner=$(stat -c %u:%g -- "$old") mode=$(stat -c %a -- "$old"); break; fi
done
printf '%s\\n' "$id" > "$partial/member/$mark"
if [ -n "$w" ]; then
  mkdir -p -- "$(dirname -- "$w")"
  mv -- "$partial/member/wal" "$w_partial"
  printf '%s\\n' "$id" > "$w_partial/$mark"
fi
for new in "$partial" "$w_partial"; do
  if [ -z "$new" ]; then continue; fi
  if [ -n "$owner" ]; then chown -R -- "$owner" "$new"; fi
  chmod -- "$mode" "$new"
  set -- "$new"
  for file in "$new"/* "$new"/member/* "$new"/member/snap/* "$new"/member/wal/*; do
    if [ -e "$file" ]; then set -- "$@" "$file"; fi
  done
  settle "$@"
done
if [ -n "$w" ]; then
  if [ -e "$w" ] && is_ours "$w"; then rm -rf -- "$w"; fi
  if [ -e "$w" ]; then rmdir -- "$w"; fi
  mv -- "$w_partial" "$w"
fi
if [ "$mover" = "$d" ]; then
  if [ -e "$d" ]; then rmdir -- "$d"; fi
  mv -- "$partial" "$d"
else
  chmod -- "$(stat -c %a -- "$d")" "$partial/member"
  mv -- "$partial/member" "$mover"
  rmdir -- "$partial"
fi
settle "$(dirname -- "$d")"
trap - EXIT
if command -v restorecon >/dev/null 2>&1; then restorecon -R -- "$d" >/dev/null 2>&1 || true; fi
"""

DIGESTS = "etcd-dr-digests"
"""The last member of a streamed archive: SHA-256 of every file before it, as sha256sum(1) checks them."""

RECEIVE = (
    _PLACES
    + _OWN_PARTIAL
    + f"""\
mkdir -- "$partial"
tar -x -f - -C "$partial"
cd -- "$partial"
if [ ! -f {DIGESTS} ]; then echo "the stream ended early" >&2; exit 1; fi
sha256sum -c {DIGESTS} > /dev/null
rm -f -- {DIGESTS}
cd /
"""
    + _COMMIT
)

# On one file system nothing is copied: both names lead to the same files, and nobody builds on the source's once etcd
# has started on these.
COPY_HERE = (
    _PLACES
    + _OWN_PARTIAL
    + """\
copy() { rm -rf -- "$partial"; cp -a "$@" -- "$7" "$partial"; }
cp -al -- "$7" "$partial" 2>/dev/null || copy --reflink=auto 2>/dev/null || copy
"""
    + _COMMIT
)

PUT_BACK = (
    _PLACES
    + """\
abandon() {
  to=$2-abandoned number=1
  while [ -e "$to" ]; do number=$((number + 1)); to=$2-abandoned-$number; done
  mv -- "$1" "$to"
}
put_back() {
  if [ -e "$2" ]; then
    if [ -e "$1" ]; then abandon "$1" "$2"; fi
    mv -- "$2" "$1"
    echo 1
  elif is_ours "$3"; then
    abandon "$1" "$2"
    echo 1
  fi
}
if [ -n "$w" ]; then put_back "$w" "$w_aside" "$w"; fi
put_back "$mover" "$aside" "$member"
clear_partials
settle "$(dirname -- "$aside")"
"""
)

# The names are paths from the root, so that unpacking at / puts everything where it was.
EXPORT = f"""\
d=$(readlink -f -- "$1")
if [ ! -d "$d" ]; then exit {IS_ABSENT}; fi
set -- "$d" "$2"
w=$2
if [ -n "$w" ]; then w=$(readlink -f -- "$w"); case $w/ in "$d"/*) w= ;; esac; fi
cd /
if [ -n "$w" ]; then
  tar -c -f - --exclude='*.etcd-dr-*' -- "${{d#/}}" "${{w#/}}"
else
  tar -c -f - --exclude='*.etcd-dr-*' -- "${{d#/}}"
fi
"""

READ_WHOLE = f"""\
if [ ! -e "$1" ]; then exit {IS_ABSENT}; fi
cat -- "$1"
"""

DIGEST = 'sha256sum -- "$1"\n'

READ_PART = 'dd if="$1" bs=1024 skip="$2" count="$3" 2>/dev/null\n'

READ_HEAD = f"""\
if [ ! -e "$1" ]; then exit {IS_ABSENT}; fi
head -c "$2" -- "$1"
"""

# A link never replaces: the file appears whole, or the one that is there stays.
PUT_FILE = f"""\
if [ -e "$1" ] || [ -L "$1" ]; then cat > /dev/null; exit {IS_THERE}; fi
mkdir -p -- "$(dirname -- "$1")"
part=$1.etcd-dr-part.$$
trap 'rm -f -- "$part"' EXIT
trap 'exit 1' HUP INT TERM
cat > "$part"
chmod -- "$2" "$part"
settle "$part"
ln -- "$part" "$1" 2>/dev/null || exit {IS_THERE}
"""

# For our own notes and copies: the file is replaced whole.
WRITE_FILE = """\
mkdir -p -- "$(dirname -- "$1")"
cat > "$1.etcd-dr-part"
chmod -- "$2" "$1.etcd-dr-part"
settle "$1.etcd-dr-part"
mv -f -- "$1.etcd-dr-part" "$1"
settle "$(dirname -- "$1")"
"""

_FIND = """\
# Prints the processes whose program is called $1; with $2, only those that have it for --data-dir.
# A process that ended and was not waited for has no command line, so it does not count.
# Starting tr for every process of a busy node would take a second: the kernel's short name (15 bytes) is looked at first.
find_process() {
  short=$(printf %.15s "$1")
  for entry in /proc/[0-9]*; do
    if ! read -r name < "$entry/comm"; then continue; fi
    if [ "$name" != "$short" ]; then continue; fi
    line=$(tr '\\000' '\\n' 2>/dev/null < "$entry/cmdline") || continue
    program=${line%%
*}
    if [ "${program##*/}" != "$1" ]; then continue; fi
    if [ -n "$2" ]; then
      case "
$line
" in
        *"
--data-dir=$2
"*|*"
--data-dir
$2
"*|*"
-data-dir=$2
"*|*"
-data-dir
$2
"*) ;;
        *) continue ;;
      esac
    fi
    printf '%s\\n' "${entry#/proc/}"
  done 2>/dev/null
}
"""

# $1 program, $2 data directory or nothing.
FIND_PROCESS = _FIND + 'find_process "$1" "$2"\n'

# $1 program, $2 data directory or nothing, $3 pauses, $4 container name or nothing: waits until it is gone.
AWAIT_GONE = (
    _FIND
    + f"""\
in_container() {{
  if [ -z "$1" ] || ! command -v crictl >/dev/null 2>&1; then return 1; fi
  running=$(crictl ps -q --name "^$1\\$" --label io.kubernetes.pod.namespace=kube-system 2>/dev/null) || return 1
  [ -n "$running" ]
}}
left=$3
while [ -n "$(find_process "$1" "$2")" ] || in_container "$4"; do
  if [ "$left" -le 0 ]; then exit {STILL_RUNS}; fi
  pause
  left=$((left - 1))
done
"""
)

# The same arguments: waits until it is there.
AWAIT_THERE = (
    _FIND
    + f"""\
left=$3
while [ -z "$(find_process "$1" "$2")" ]; do
  if [ "$left" -le 0 ]; then exit {IS_ABSENT}; fi
  pause
  left=$((left - 1))
done
"""
)
