"""Finding, pulling and checking weights and styles, on real folders and a real server."""

import hashlib
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from stylizer.config import Settings
from stylizer.errors import ModelMissing, ModelRejected, NotFound, Unavailable
from stylizer.weights import Card, Kind, Registry, Standing
from stylizer.weights.manifest import Manifest, manifest, parse_manifest
from tests.conftest import Finder
from tests.weights.server import Script, serving

BODY = b"weights " * 10_000
SHA = hashlib.sha256(BODY).hexdigest()


def parts_at(url: str, sha256: str | None = None) -> Manifest:
    """A manifest of one part whose first file is at `url` and whose second can only be put on the search path."""
    known = f'sha256 = "{sha256}"' if sha256 else ""
    return parse_manifest(f"""
        [person]
        title = "person detector"
        without = "the whole frame"
        [[person.files]]
        file = "best.pt"
        what = "the best"
        licence = "MIT"
        source = "here"
        url = "{url}"
        {known}
        [[person.files]]
        file = "derived/second.onnx"
        what = "the second"
        licence = "MIT"
        source = "here"
    """)


def client() -> httpx.Client:
    return httpx.Client(trust_env=False, timeout=5)


def registry(tmp_path: Path, parts: Manifest, *models: Path) -> Registry:
    return Registry(Settings.load(models=models, cache=tmp_path / "cache"), parts, embedded=tmp_path / "embedded")


@contextmanager
def pulled(tmp_path: Path, script: Script, sha256: str | None = None) -> Iterator[Registry]:
    with serving(script) as url:
        reg = registry(tmp_path, parts_at(url, sha256))
        with client() as session:
            reg.pull("person", client=session)
        yield reg


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_first_folder_wins_then_the_first_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    (first / "derived").mkdir(parents=True)
    second.mkdir()
    reg = registry(tmp_path, parts_at("http://unused"), first, second)
    (second / "best.pt").write_bytes(BODY)
    assert reg.find("person").path == second / "best.pt"
    (first / "derived" / "second.onnx").write_bytes(BODY)
    assert reg.find("person").path == first / "derived" / "second.onnx"
    (first / "best.pt").write_bytes(BODY)
    assert reg.find("person").path == first / "best.pt"


def test_missing_weights_say_where_was_looked_and_what_brings_them(tmp_path: Path) -> None:
    reg = registry(tmp_path, parts_at("http://unused"), tmp_path / "mine")
    with pytest.raises(ModelMissing) as caught:
        reg.find("person")
    for word in ("best.pt", "derived/second.onnx", str(tmp_path / "mine"), str(reg.pulled), "models pull person"):
        assert word in str(caught.value)


def test_a_part_answers_to_its_name_and_its_files(tmp_path: Path) -> None:
    (tmp_path / "best.pt").write_bytes(BODY)
    reg = registry(tmp_path, parts_at("http://unused"), tmp_path)
    assert {reg.find(name).path for name in ("person", "best.pt", "best", "second")} == {tmp_path / "best.pt"}
    with pytest.raises(NotFound, match="'nobody'; there are person"):
        reg.find("nobody")


def test_an_unknown_checksum_is_recorded_at_the_first_pull_and_checked_ever_after(tmp_path: Path) -> None:
    script = Script(BODY)
    with pulled(tmp_path, script) as reg:
        found = reg.find("person")
        assert found.path.read_bytes() == BODY
        assert [check.standing for check in reg.verify()] == [Standing.OK]
        flip(found.path)
        assert [check.standing for check in reg.verify()] == [Standing.CHANGED]
        with pytest.raises(ModelRejected, match=str(found.path)):
            reg.find("person")

        script.body = BODY[::-1]  # now the server has something else as well
        with client() as session, pytest.raises(ModelRejected, match=f"must be {SHA}"):
            reg.pull("person", client=session)
        script.body = BODY
        with client() as session:
            reg.pull("person", client=session)
        assert reg.find("person").path.read_bytes() == BODY


def test_a_known_checksum_holds_on_the_search_path_too(tmp_path: Path) -> None:
    (tmp_path / "best.pt").write_bytes(BODY)
    reg = registry(tmp_path, parts_at("http://unused", SHA), tmp_path)
    assert reg.find("person").path == tmp_path / "best.pt"
    flip(tmp_path / "best.pt")
    with pytest.raises(ModelRejected, match=SHA):
        reg.find("person")


def test_the_users_own_file_is_not_held_against_what_was_pulled(tmp_path: Path) -> None:
    with pulled(tmp_path, Script(BODY)) as reg:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "best.pt").write_bytes(b"another training")
        own = registry(tmp_path, reg.parts, tmp_path / "mine")
        assert [check.standing for check in own.verify("person")] == [Standing.UNCHECKED, Standing.OK]


def test_what_is_there_is_not_pulled_again(tmp_path: Path) -> None:
    script = Script(BODY)
    with pulled(tmp_path, script, SHA) as reg, client() as session:
        reg.pull("person", client=session)
    assert len(script.seen) == 1


def test_two_pulls_at_once_fetch_once(tmp_path: Path) -> None:
    script = Script(BODY)
    with serving(script) as url, client() as session, ThreadPoolExecutor(2) as pool:
        both = [registry(tmp_path, parts_at(url)) for _ in range(2)]
        jobs = [pool.submit(each.pull, "person", client=session) for each in both]
        assert {job.result(timeout=10).path.read_bytes() for job in jobs} == {BODY}
    assert len(script.seen) == 1


def test_a_part_without_address_cannot_be_pulled(tmp_path: Path) -> None:
    parts = parse_manifest(
        '[p]\ntitle="t"\nwithout="w"\n[[p.files]]\nfile="f.onnx"\nwhat="x"\nlicence="MIT"\nsource="s"\n'
    )
    with pytest.raises(NotFound, match="no address is known"):
        registry(tmp_path, parts).pull("p")


def test_a_cache_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(Unavailable, match=r"cannot write into .*cache.*STYLIZER_CACHE"):
        registry(tmp_path, parts_at("http://unused")).pull("person")


def test_damaged_records_are_refused(tmp_path: Path) -> None:
    with pulled(tmp_path, Script(BODY)) as reg:
        (reg.pulled / "checksums.json").write_text("{")
        with pytest.raises(ModelRejected, match=r"checksums\.json is damaged"):
            reg.find("person")


def test_the_real_manifest_names_licence_and_address_of_every_part() -> None:
    parts = manifest()
    assert set(parts) == {"person", "matte", "pose", "silhouette", "mesh", "segmentation"}
    for part in parts.values():
        if part.pullable is None:
            assert all(file.package and file.sha256 for file in part.files), "brought by a package, and checked"
        else:
            assert part.pullable.url is not None and part.pullable.url.startswith("https://")
        assert all(file.licence and file.source.startswith("https://") for file in part.files)


def test_real_weights_on_the_search_path_have_the_checksums_of_the_manifest(weights: Finder, tmp_path: Path) -> None:
    models = weights("selfie_segmentation.onnx").parent
    reg = Registry(Settings.load(models=(models,), cache=tmp_path))
    checks = reg.verify()
    assert checks, f"none of the manifest's files in {models}"
    assert {check.standing for check in checks} == {Standing.OK}
    copy = tmp_path / "copy"
    found = reg.find("segmentation")
    copy.mkdir()
    flip(Path(shutil.copy(found.path, copy / found.file.name)))
    with pytest.raises(ModelRejected, match="sha256"):
        Registry(Settings.load(models=(copy,), cache=tmp_path)).find("segmentation")


def make_style(root: Path, name: str, title: str = "A style", sha256: str | None = None) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(BODY)
    card = Card(
        name=name,
        title=title,
        kind=Kind.TOONIFY,
        data="drawn figures",
        licence="MIT",
        weak_points=("hands",),
        sha256=sha256,
    )
    (folder / "card.toml").write_text(card.to_toml())
    return folder


def test_a_style_of_the_user_hides_the_embedded_one_of_its_name(tmp_path: Path) -> None:
    reg = registry(tmp_path, {}, tmp_path / "mine")
    make_style(tmp_path / "embedded", "anime", "embedded")
    make_style(tmp_path / "embedded", "ink")
    assert reg.style("anime").origin == "embedded"
    make_style(reg.pulled / "styles", "anime", "pulled")
    assert reg.style("anime").origin == "cache"
    make_style(tmp_path / "mine" / "styles", "anime", "mine")
    assert reg.style("anime").card.title == "mine"
    good, bad = reg.styles()
    assert {(s.card.name, s.card.title) for s in good} == {("anime", "mine"), ("ink", "A style")}
    assert bad == []


def test_a_style_whose_weights_changed_is_refused_by_name(tmp_path: Path) -> None:
    folder = make_style(tmp_path / "embedded", "anime", sha256=SHA)
    reg = registry(tmp_path, {})
    assert reg.style("anime").weights == folder / "weights.safetensors"
    flip(folder / "weights.safetensors")
    with pytest.raises(ModelRejected, match=str(folder)):
        reg.style("anime")
    (folder / "weights.safetensors").unlink()
    with pytest.raises(ModelMissing, match=r"weights\.safetensors is not there"):
        reg.style("anime")


def test_a_bad_card_is_refused_by_name_and_hides_no_other(tmp_path: Path) -> None:
    make_style(tmp_path / "embedded", "ink")
    folder = make_style(tmp_path / "embedded", "anime")
    (folder / "card.toml").write_text('name = "anime"\nkind = "watercolour"\n')
    (tmp_path / "embedded" / "chalk" / "card.toml").mkdir(parents=True)
    good, bad = registry(tmp_path, {}).styles()
    assert [style.card.name for style in good] == ["ink"]
    assert len(bad) == 2
    assert str(folder / "card.toml") in str(bad[0])
    assert "chalk/card.toml: Is a directory" in str(bad[1])


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    """As one of another user, which root would read all the same: reading this one's own memory fails for everybody."""
    folder = make_style(tmp_path / "embedded", "anime", sha256=SHA)
    (folder / "weights.safetensors").unlink()
    (folder / "weights.safetensors").symlink_to("/proc/self/mem")
    with pytest.raises(ModelRejected, match=r"weights\.safetensors: Input/output error"):
        registry(tmp_path, {}).style("anime")


def test_a_folder_that_may_not_be_looked_into_is_named_and_hides_no_other(tmp_path: Path) -> None:
    """As one of another user; this one's name is too long for everybody."""
    make_style(tmp_path / "embedded", "ink")
    reg = registry(tmp_path, parts_at("unused"), Path("/" + "x" * 300))
    with pytest.raises(ModelMissing, match=r"in /x+ \(File name too long\), "):
        reg.find("person")
    good, bad = reg.styles()
    assert [style.card.name for style in good] == ["ink"] and "xxx/styles: File name too long" in str(bad[0])
    assert reg.style("ink").origin == "embedded"
    reg.pulled.mkdir(parents=True)
    (reg.pulled / "best.pt").write_bytes(BODY)
    assert reg.find("person").path == reg.pulled / "best.pt"


def test_what_cannot_be_written_at_a_pull_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache" / "models" / "checksums.json.part").mkdir(parents=True)
    with pytest.raises(Unavailable, match=r"cannot write into .*models: Is a directory; set STYLIZER_CACHE"):
        with pulled(tmp_path, Script(BODY)):
            pass


@pytest.mark.parametrize("name", ["none", "../models", "", "."])
def test_an_unknown_style_is_not_found_and_no_path_leads_out(name: str, tmp_path: Path) -> None:
    make_style(tmp_path / "embedded", "ink")
    make_style(tmp_path, "models")
    with pytest.raises(NotFound, match="there are ink"):
        registry(tmp_path, {}).style(name)
