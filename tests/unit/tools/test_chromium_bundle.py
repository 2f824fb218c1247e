"""Which of Debian's packages are unpacked for the browser of the tests."""

from tools.chromium_bundle import needed_of

SIMULATED = """\
NOTE: This is only a simulation!
Inst libc6 (2.36-9 Debian:12 [amd64])
Inst perl-base (5.36.0-7 Debian:12 [amd64])
Inst zlib1g (1:1.2.13 Debian:12 [amd64])
Inst libllvm15 (1:15.0.6 Debian:12 [amd64])
Inst libnss3 (2:3.87.1 Debian:12 [amd64])
Inst chromium-common (150.0 Debian:12 [amd64])
Inst chromium (150.0 Debian:12 [amd64])
Conf libnss3 (2:3.87.1 Debian:12 [amd64])
"""


def test_the_c_library_stays_the_machine_s() -> None:
    """Two of them in one process do not go well; libraries of the browser all come along, whatever they are called."""
    assert needed_of(SIMULATED) == ["zlib1g", "chromium-common", "chromium", "libnss3"]
