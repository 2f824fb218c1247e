# Sourced: sets $python to an interpreter of 3.11 or newer, or says what is missing and ends.

fit() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
  if fit "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
  echo "make: Python 3.11 or newer is needed, and ${PYTHON:-python3} is not one." >&2
  echo "      Install it (Debian: apt-get install python3 python3-venv), or name one: make PYTHON=/path/to/python3.12" >&2
  exit 1
fi
