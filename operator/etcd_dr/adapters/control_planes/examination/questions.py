"""The scripts of an examination. They only read, and every program that may hang has a deadline of its own.

- `section NAME` begins an answer, `asked NAME COMMAND...` runs a command under `bounded` and notes its status. The mark
  that begins these lines is a random word of this run, so that no file's content can be taken for one.
- What may hang (container runtime, systemd's bus, a disk) is asked last, so that a silence costs little.
- `set -e` is off: what cannot be read on one node says nothing about the next question.
"""

from __future__ import annotations

_BEGIN = """\
set +eu
mark=$1 seconds=$2
shift 2
section() { printf '\\n%s %s\\n' "$mark" "$1"; }
bounded() { if command -v timeout >/dev/null 2>&1; then timeout "$seconds" "$@"; else "$@"; fi; }
asked() {
  name=$1
  shift
  section "$name"
  bounded "$@" </dev/null 2>&1
  printf '\\n%s status:%s\\n%s\\n' "$mark" "$name" "$?"
}
seen() { stat -c '%F|%u|%g|%a|%s|%n' -- "$1" 2>/dev/null || printf '|0|0|0|0|%s\\n' "$1"; }
"""

_END = "exit 0\n"  # what the last command ended with is no answer

_MACHINE = """\
section clock; date +%s
section sudo; printf '%s\\n' "${SUDO_USER:-}"
section hostname; hostname 2>/dev/null || cat /proc/sys/kernel/hostname
section swaps; cat /proc/swaps 2>/dev/null
section sockets; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null
for process in /proc/[0-9]*; do
  read -r word < "$process/comm" || continue
  case $word in
    etcd|kube-apiserver*)
      section process
      stat -c %u -- "$process"
      tr '\\0' '\\n' < "$process/cmdline"
      ;;
  esac
done 2>/dev/null
"""

# $1 manifests directory, $2 the directory beside it, $3 etcd's manifest, $4 the unit of the kubelet.
PODS = (
    _BEGIN
    + _MACHINE
    + """\
section manifests
if [ -d "$1" ]; then echo directory; fi
for file in "$1"/*; do
  if [ -f "$file" ]; then
    section "manifest:${file##*/}"
    head -c 65536 -- "$file"
  fi
done
section elsewhere
for file in "$2"/*.y*ml "$2"/*/*.y*ml /root/*.y*ml; do
  case $file in "$1"/*|"$2"/etcd-dr-*) continue ;; esac
  if [ -f "$file" ] && grep -q 'name: etcd$' -- "$file" && grep -q 'kind: Pod' -- "$file"; then printf '%s\\n' "$file"; fi
done 2>/dev/null
section fences
for kept in "$2"/etcd-dr-*/; do
  for file in "$kept"*.yaml; do
    if [ -f "$file" ] && [ ! -e "$1/${file##*/}" ]; then printf '%s\\n' "$file"; fi
  done
done
section staticPodPath
sed -n 's/^staticPodPath: *//p' /var/lib/kubelet/config.yaml 2>/dev/null
"""
    + _END
)

# $1 unit, $2 drop-in directory, $3 the unit's properties.
UNITS = (
    _BEGIN
    + _MACHINE
    + """\
section fences
for file in "$2/"*.d/zz-etcd-dr-*.conf; do
  if [ -f "$file" ]; then printf '%s\\n' "$file"; fi
done
asked unit systemctl show -p "$3" -- "$1"
"""
    + _END
)

# Environment files of the unit.
ENVIRONMENT = (
    _BEGIN
    + """\
for name in "$@"; do
  for file in $name; do
    section environment
    if [ -f "$file" ]; then cat -- "$file"; fi
  done
done
"""
    + _END
)

# $1 data directory, $2 WAL directory or nothing, then files that etcd is started with; keys are never read.
DATA = (
    _BEGIN
    + """\
d=$1 w=$2
shift 2
if [ -z "$w" ]; then w=$d/member/wal; fi
for file in "$@"; do
  section "file:$file"
  seen "$file"
  case $file in *.key|*-key.pem) continue ;; esac
  if [ -f "$file" ]; then section "certificate:$file"; head -c 65536 -- "$file"; fi
done
section paths
for path in "$d" "$d/member" "$d/member/snap" "$w" "$d/member/snap/db"; do seen "$path"; done
section wal
first=
for file in "$w"/*.wal; do
  if [ -f "$file" ]; then
    echo "${file##*/}"
    if [ -z "$first" ]; then first=$file; fi
  fi
done
if [ -n "$first" ]; then section head; head -c 4096 -- "$first" | od -An -v -tx1 | tr -d ' \\n'; fi
section aside
for name in "$d".etcd-dr-* "$d"/member.etcd-dr-*; do
  case $name in *.partial*) continue ;; esac
  if [ -d "$name" ]; then printf '%s\\n' "$name"; fi
done
near=$d
while [ ! -e "$near" ] && [ "$near" != / ]; do near=$(dirname -- "$near"); done
section room; stat -f -c '%a %S %b %d %c' -- "$near"
section filesystem; stat -f -c %T -- "$near"
asked holders ss -Hltnp
"""
    + _END
)

# $1 container of etcd, $2 lines of a log, $3 kubelet's unit.
RUNTIME = (
    _BEGIN
    + """\
section log
ls -t /var/log/pods/kube-system_"$1"-*/"$1"/*.log 2>/dev/null | head -n 2 | sed '1!G;h;$!d' | while read -r file; do
  tail -n "$2" -- "$file"
done
asked kubelet systemctl show -p LoadState,ActiveState,Result,NRestarts -- "$3"
for unit in containerd.service crio.service cri-docker.service; do
  asked "runtime:$unit" systemctl show -p LoadState,ActiveState -- "$unit"
done
asked kubelet_log journalctl -u "$3" -n "$2" --no-pager -o cat
if command -v crictl >/dev/null 2>&1; then
  asked containers crictl ps -a -o json
  section crictl_log
  id=$(bounded crictl ps -a -q --name "^$1\\$" 2>/dev/null | head -n 1)
  if [ -n "$id" ]; then bounded crictl logs --tail "$2" "$id" 2>&1; fi
fi
"""
    + _END
)

# $1 unit, $2 lines of its journal.
JOURNAL = (
    _BEGIN
    + """\
asked journal journalctl -u "$1" -n "$2" --no-pager -o cat
"""
    + _END
)
