"""The command over a directory store: what people do with snapshots, without any etcd at hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyrage
import pytest

from fakes.etcd_database import EtcdDatabase
from scenarios.command_line import CommandLine, Done


class Shelf:
    """A command line with a store and files to import; `keys` decides how large, and so how new, a snapshot is."""

    def __init__(self, directory: Path) -> None:
        self.cli = CommandLine(directory, {"ETCD_DR_STORE": str(directory / "store")})
        self.directory = directory

    def __call__(self, *words: object, stdin: str | None = None) -> Done:
        return self.cli("snapshot", *words, "--log-level", "error", stdin=stdin)

    def file(self, name: str = "etcd.db", *, keys: int = 300) -> Path:
        """Write a snapshot as etcdctl does."""
        database = EtcdDatabase.of_keys(keys).to_bytes()
        path = self.directory / name
        path.write_bytes(database + hashlib.sha256(database).digest())
        return path

    def take_in(self, *, keys: int = 300, taken_at: str = "2026-08-20T03:00:00Z", words: tuple[str, ...] = ()) -> str:
        """Import a snapshot and return its id."""
        clear = () if words else ("--no-encryption",)
        done = self("import", self.file(keys=keys), "--taken-at", taken_at, *clear, *words, "-o", "json")
        assert done.status == 0, done.err
        found: str = done.document["imported"][0]["snapshot"]["id"]
        return found

    def data(self, snapshot_id: str) -> Path:
        return self.directory / "store" / "v1" / "default" / "snapshots" / snapshot_id / "data"

    def listed(self) -> list[str]:
        return [each["id"] for each in self("list", "-o", "json").document["snapshots"]]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def identity(tmp_path: Path) -> tuple[str, Path]:
    """A recipient, and the file with its identity."""
    made = pyrage.x25519.Identity.generate()
    path = tmp_path / "age.key"
    path.write_text(f"{made}\n")
    return str(made.to_public()), path


def test_empty_store_is_an_empty_list(shelf: Shelf) -> None:
    """Not an error: a new store has nothing yet, and says so."""
    done = shelf("list")

    assert done.status == 0
    assert done.out == f"no snapshots of default in file://{shelf.directory}/store/v1/default/\n"


def test_list_is_newest_first_with_what_is_proven(shelf: Shelf) -> None:
    """The first row is the one that somebody in trouble looks for."""
    older = shelf.take_in(keys=300, taken_at="2026-08-20T03:00:00Z")
    newer = shelf.take_in(keys=301, taken_at="2026-08-20T04:00:00Z")

    rows = shelf("list").out.splitlines()

    assert [row.split()[0] for row in rows] == ["ID", newer, older]
    assert rows[1].split()[-1] == "intact"
    assert shelf("list", "--limit", "1", "-o", "json").document["snapshots"][0]["id"] == newer


def test_import_fetch_and_status_tell_the_same_story(shelf: Shelf) -> None:
    """What comes back is, byte for byte, what went in."""
    file = shelf.file()
    shelf.take_in()
    fetched = shelf.directory / "fetched.db"

    done = shelf("fetch", "--to", fetched)
    status = shelf("status", fetched, "-o", "json").document

    assert done.status == 0
    assert "etcdutl snapshot restore" in done.out
    assert fetched.read_bytes() == file.read_bytes()
    assert fetched.stat().st_mode & 0o777 == 0o600
    assert status["is_restorable"]
    assert status["status"]["live_keys"] == 300


def test_encrypted_snapshot_opens_with_its_identity_only(shelf: Shelf, identity: tuple[str, Path]) -> None:
    """Without the key a verification still reads what is stored, and says what it could not do."""
    recipient, key = identity
    snapshot_id = shelf.take_in(words=("--recipient", recipient))

    without = shelf("verify", snapshot_id, "-o", "json")
    insisting = shelf("verify", snapshot_id, "--level", "intact")
    with_key = shelf("verify", snapshot_id, "--identity", key, "-o", "json")
    fetched = shelf("fetch", snapshot_id, "--to", shelf.directory / "x.db")

    assert without.status == 0
    assert [each["code"] for each in without.document["verified"][0]["not_made"]] == ["codec.identity_missing"]
    assert insisting.status == 77
    assert [proof["level"] for proof in with_key.document["verified"][0]["proofs"]] == ["stored", "intact"]
    assert fetched.status == 77
    assert not (shelf.directory / "x.db").exists()


def test_flipped_bit_is_found_and_remembered(shelf: Shelf) -> None:
    """Verification ends with 1, the list shows it, and nothing is recovered from it by default any more."""
    older = shelf.take_in(keys=300, taken_at="2026-08-20T03:00:00Z")
    newer = shelf.take_in(keys=301, taken_at="2026-08-20T04:00:00Z")
    body = bytearray(shelf.data(newer).read_bytes())
    body[len(body) // 2] ^= 1
    shelf.data(newer).chmod(0o600)
    shelf.data(newer).write_bytes(body)

    verified = shelf("verify")
    everything = shelf("verify", "--all")
    fetched = shelf("fetch", "--to", shelf.directory / "good.db", "-o", "json")

    assert (verified.status, everything.status) == (1, 1)
    assert "DAMAGED" in shelf("list").out.splitlines()[1]
    assert "1 damaged" in everything.out
    assert fetched.document["snapshot"]["id"] == older


def test_snapshot_is_named_in_every_way(shelf: Shelf) -> None:
    """By id, by its beginning, by its token, by time and by revision."""
    first = shelf.take_in(keys=300, taken_at="2026-08-20T03:00:00Z")
    second = shelf.take_in(keys=305, taken_at="2026-08-20T04:00:00Z")

    def shown(*words: str) -> str:
        found: str = shelf("show", *words, "-o", "json").document["id"]
        return found

    assert shown() == second
    assert shown("latest-verified") == second
    assert shown(first) == first
    assert shown("20260820t03") == first
    assert shown(first.partition("-")[2]) == first
    assert shown("--at", "2026-08-20T03:30:00Z") == first
    assert shown("--revision", "304") == first
    assert "taken 0:30:00 before" in shelf("show", "--at", "2026-08-20T03:30:00Z").err


def test_show_is_readable_at_80_columns_and_whole_in_json(shelf: Shelf) -> None:
    """The manifest as it is stored is part of the document."""
    shelf.take_in()

    done, document = shelf("show"), shelf("show", "-o", "json").document

    assert "revision       301" in done.out
    assert document["manifest"]["plain_digest"].startswith("sha256:")
    assert document["data_url"].startswith("file://")


def test_prune_shows_first_and_removes_then(shelf: Shelf) -> None:
    """The dry run and the run agree; the newest proven one stays whatever is asked."""
    for hour in range(4):
        shelf.take_in(keys=300 + hour, taken_at=f"2026-08-20T0{hour}:00:00Z")
    before = shelf.listed()

    dry = shelf("prune", "--keep-last", "1", "--dry-run", "-o", "json").document
    untouched = shelf.listed()
    done = shelf("prune", "--keep-last", "1", "--yes", "-o", "json").document

    assert untouched == before
    assert [each["snapshot"]["id"] for each in dry["decisions"] if not each["is_kept"]] == before[1:]
    assert [each["snapshot"]["id"] for each in done["decisions"] if each["is_removed"]] == before[1:]
    assert shelf.listed() == before[:1]


def test_prune_without_a_policy_keeps_everything(shelf: Shelf) -> None:
    """Nothing goes because somebody forgot to say what stays."""
    shelf.take_in()

    done = shelf("prune", "--yes")

    assert "the policy is empty, so everything is kept" in done.out
    assert "0 snapshots removed" in done.out


def test_removal_asks_for_the_name_of_the_cluster(shelf: Shelf) -> None:
    """Typed wrong, or nobody there to type: nothing is removed."""
    first = shelf.take_in(keys=300, taken_at="2026-08-20T03:00:00Z")
    shelf.take_in(keys=301, taken_at="2026-08-20T04:00:00Z")

    wrong = shelf("delete", first, stdin="prod\n")
    nobody = shelf("prune", "--keep-last", "1")
    assert (wrong.status, nobody.status) == (130, 64)
    assert len(shelf.listed()) == 2

    right = shelf("delete", first, stdin="default\n")

    assert right.status == 0
    assert "is going to be deleted for good" in right.err
    assert first not in shelf.listed()


def test_pinned_and_newest_proven_snapshots_are_not_deleted_by_accident(shelf: Shelf) -> None:
    """Both are said before anybody is asked, and both give way to --force or unpin."""
    first = shelf.take_in(keys=300, taken_at="2026-08-20T03:00:00Z")
    second = shelf.take_in(keys=301, taken_at="2026-08-20T04:00:00Z")
    assert shelf("pin", first, "--reason", "before the upgrade", "--yes").status == 0

    pinned, newest = shelf("delete", first, "--yes"), shelf("delete", second, "--yes")
    assert (pinned.status, newest.status) == (64, 64)
    assert "before the upgrade" in pinned.err
    assert "pinned" in shelf("list").out

    assert shelf("unpin", first, "--yes").status == 0
    assert shelf("delete", first, "--yes").status == 0
    assert shelf("delete", second, "--yes", "--force").status == 0
    assert shelf.listed() == []


def test_dry_runs_change_nothing(shelf: Shelf) -> None:
    """They need no confirmation, because there is nothing to confirm."""
    first = shelf.take_in()

    for words in (("pin", first), ("unpin", first), ("prune", "--keep-last", "1"), ("delete", first, "--force")):
        assert shelf(*words, "--dry-run").status == 0, words

    assert shelf.listed() == [first]
    assert "pinned" not in shelf("list").out


def test_interrupted_upload_is_listed_and_swept_when_old(shelf: Shelf) -> None:
    """What never got a manifest is no snapshot; it goes after the grace period."""
    shelf.take_in()
    leftover = shelf.data("20260101T000000Z-0123456789ab")
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")

    assert "not committed: 20260101T000000Z-0123456789ab" in shelf("list").out
    assert "keep: 1 object without a manifest" in shelf("prune", "--yes").out

    swept = shelf.cli("snapshot", "prune", "--yes", environment={"ETCD_DR_OPERATOR__UPLOAD_GRACE": "1ms"})

    assert "remove: 1 object without a manifest" in swept.out
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("loss", "word", "state"), [(None, "DATA MISSING", "missing"), (5, "SIZE DIFFERS", "size-differs")]
)
def test_list_shows_what_has_lost_its_data(shelf: Shelf, loss: int | None, word: str, state: str) -> None:
    """In the table, in JSON, and in what `latest-verified` means."""
    older = shelf.take_in()
    newer = shelf.take_in(keys=400, taken_at="2026-08-20T04:00:00Z")
    data = shelf.data(newer)
    data.chmod(0o600)
    data.write_bytes(data.read_bytes()[:loss]) if loss else data.unlink()

    document = shelf("list", "-o", "json").document

    assert word in shelf("list").out
    assert [each["data"] for each in document["snapshots"]] == [state, "present"]
    assert [each["is_proven"] for each in document["snapshots"]] == [False, True]
    assert shelf("show", "latest-verified", "-o", "json").document["id"] == older


def test_what_is_left_of_a_broken_snapshot_is_deleted_by_its_whole_id_only(shelf: Shelf) -> None:
    """Confirmed by name, never by a guess, and never a snapshot that can be read."""
    broken, whole = shelf.take_in(), shelf.take_in(keys=400, taken_at="2026-08-20T04:00:00Z")
    manifest = shelf.data(broken).parent / "manifest.json"
    manifest.chmod(0o600)
    manifest.write_text("{")

    named = shelf("show", broken)
    by_guess = [shelf("delete", "--broken", "--yes", word).status for word in (broken[:20], "latest")]
    unnamed, readable = shelf("delete", "--broken", "--yes"), shelf("delete", "--broken", "--yes", whole)
    unconfirmed = shelf("delete", "--broken", broken, stdin="lab\n")
    dry = shelf("delete", "--broken", broken, "--dry-run")
    was_there = manifest.exists()
    deleted = shelf("delete", "--broken", broken, stdin="default\n")

    assert named.status == 65
    assert f"snapshot delete --cluster default --broken {broken}".split()[-1] in named.err
    assert (by_guess, unnamed.status, readable.status, unconfirmed.status) == ([64, 64], 64, 64, 130)
    assert dry.status == 0
    assert was_there
    assert deleted.status == 0, deleted.err
    assert not shelf.data(broken).parent.exists()
    assert shelf.listed() == [whole]


def test_manifest_of_another_version_and_a_pinned_one_are_not_broken_enough_to_be_deleted(shelf: Shelf) -> None:
    """What a newer etcd-dr wrote may be the best snapshot of all; what somebody pinned needs --force as well."""
    newer, pinned = shelf.take_in(), shelf.take_in(keys=400, taken_at="2026-08-20T04:00:00Z")
    assert shelf("pin", "--yes", pinned).status == 0
    for snapshot_id, body in ((newer, '{"version": 2}'), (pinned, "{")):
        manifest = shelf.data(snapshot_id).parent / "manifest.json"
        manifest.chmod(0o600)
        manifest.write_text(body)

    of_another = shelf("delete", "--broken", "--yes", "--force", newer)
    of_somebody = shelf("delete", "--broken", "--yes", pinned)
    forced = shelf("delete", "--broken", "--yes", "--force", pinned)

    assert (of_another.status, of_somebody.status, forced.status) == (65, 64, 0)
    assert shelf.data(newer).exists()
    assert "format version 2" in of_another.err


@pytest.mark.parametrize("body", ["{", '{"version": 2}', '{"version": 1, "cluster": "lab", "etcd_cluster_ids": []}'])
def test_marker_that_cannot_be_read_is_a_finding_of_its_own(shelf: Shelf, body: str) -> None:
    """Nothing will be saved until it is repaired: that is critical, it is no unreachable store, and it can be repaired."""
    shelf.take_in()
    marker = shelf.directory / "store" / "v1" / "default" / "cluster.json"
    marker.write_text(body)

    health = shelf.cli("health", "--endpoints", "http://127.0.0.1:1", "-o", "json")

    [finding] = [each for each in health.document["findings"] if each["code"].startswith("store.")]
    assert (finding["code"], finding["severity"]) == ("store.marker_damaged", "critical")
    assert health.status == 2
    assert ("rm " in finding["next_step"]) or ("etcd-dr version" in finding["next_step"])


def test_store_with_several_clusters_asks_which(shelf: Shelf) -> None:
    """And with one, it is that one, whatever it is called."""
    shelf.take_in(words=("--no-encryption", "--cluster", "prod"))
    assert shelf("list", "-o", "json").document["cluster"] == "prod"

    shelf.take_in(words=("--no-encryption", "--cluster", "lab"))
    done = shelf("list")

    assert done.status == 64
    assert "holds 2 clusters: lab, prod" in done.err
    assert shelf("list", "--cluster", "lab").status == 0


def test_damaged_file_is_examined_and_refused(shelf: Shelf) -> None:
    """`status` ends with 65, `verify FILE` with 1, `import` leaves nothing behind; each says what is wrong."""
    whole = shelf.file()
    cut = shelf.directory / "cut.db"
    cut.write_bytes(whole.read_bytes()[:-5000])

    status, verified, imported = shelf("status", cut), shelf("verify", cut), shelf("import", cut, "--no-encryption")

    assert (status.status, verified.status, imported.status) == (65, 1, 65)
    assert "DAMAGED" in status.out
    assert "file.truncated" in status.out
    assert shelf.listed() == []


def test_labels_are_kept(shelf: Shelf) -> None:
    """What a change ticket needs to find its snapshot again."""
    snapshot_id = shelf.take_in(words=("--no-encryption", "--label", "change=4711", "--label", "a=b=c"))

    labels = shelf("show", snapshot_id, "-o", "json").document["manifest"]["labels"]

    assert (labels["change"], labels["a"]) == ("4711", "b=c")
