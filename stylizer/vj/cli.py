"""`stylizer vj`: play the instrument, render a show, list what there is."""

import importlib
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from stylizer.cli_report import JsonFile, save_report
from stylizer.config import Settings
from stylizer.errors import BadInput, StylizerError
from stylizer.garbage import collect_the_new_only, leave_for_later
from stylizer.stopping import stopping
from stylizer.vj.bank import SUFFIXES, Bank
from stylizer.vj.inputs.keyboard import help_lines
from stylizer.vj.inputs.modulation import SOURCES, Modulator
from stylizer.vj.presets import Preset, find_preset, presets

vj_app = typer.Typer(help="An instrument that dreams the next frame.", no_args_is_help=True)
out, err = Console(markup=False), Console(stderr=True, markup=False)
FOLLOW_HELP = f"sound that moves a control: 'low>zoom gain=0.02 release_s=0.4', of {', '.join(SOURCES)}; repeatable"


@vj_app.command()
def render(
    target: Annotated[Path, typer.Argument(metavar="OUT.mp4", help="the film")],
    preset: Annotated[str, typer.Option(help="an embedded preset's name or a .toml file")] = "ngx",
    seconds: Annotated[float, typer.Option(min=0.05, max=86400, help="how long")] = 20,
    rate: Annotated[int, typer.Option(min=1, max=120, help="frames per second of the film")] = 30,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="of the noise: the same seed, the same film")] = 0,
    model_a: Annotated[str | None, typer.Option(help="slot A: an embedded model, .pict or .safetensors")] = None,
    model_b: Annotated[str | None, typer.Option(help="slot B")] = None,
    sound_file: Annotated[Path | None, typer.Option(help="a film or sound file that is listened to")] = None,
    follow: Annotated[list[str] | None, typer.Option(help=FOLLOW_HELP)] = None,
    report: JsonFile = None,
) -> None:
    """Render a show off-line. Ctrl-C or SIGTERM ends early with a playable file."""
    from stylizer.vj.render import render as run

    bank, settings = Bank(), Settings.load()
    with Progress(console=err) as bar, stopping() as stop:
        task = bar.add_task(target.name)
        result = run(
            bank,
            with_models(bank, find_preset(preset), model_a, model_b),
            target,
            seconds=seconds,
            rate=Fraction(rate),
            seed=seed,
            sound=sound_file,
            follow=[Modulator.parsed(text) for text in follow or ()],
            device=settings.device,
            cache=settings.cache / "vj",
            tell=lambda done, total: bar.update(task, completed=done, total=total),
            stop=stop,
        )
    save_report(report, asdict(result))
    helped = f", the guard helped {result.guard_interventions} times" if result.guard_interventions else ""
    ran = f"the loop at {result.fps:g} fps on {result.loop}"
    note = " (stopped early)" if result.interrupted else ""
    out.print(f"{target}: {result.frames} frames, {ran}{helped}{note}", highlight=False)
    if result.interrupted:
        raise typer.Exit(130)


@vj_app.command()
def play(
    preset: Annotated[str, typer.Option(help="an embedded preset's name or a .toml file")] = "ngx",
    model_a: Annotated[str | None, typer.Option(help="slot A: an embedded model, .pict or .safetensors")] = None,
    model_b: Annotated[str | None, typer.Option(help="slot B")] = None,
    guest: Annotated[str | None, typer.Option(help="camera, camera:1 or a film or picture, for `inject`")] = None,
    full_screen: Annotated[bool, typer.Option(help="without a frame")] = False,
    midi_map: Annotated[
        Path | None, typer.Option(help="learned knobs, besides Ngx's own; `m` saves to it (knobs.toml)")
    ] = None,
    soft: Annotated[bool, typer.Option(help="a knob takes over only where it meets its control")] = True,
    osc_port: Annotated[int, typer.Option(min=0, max=65535, help="UDP port of OSC, 0 for none")] = 9000,
    osc_host: Annotated[
        str, typer.Option(help="address of OSC; 0.0.0.0 lets everybody in the network play, without a password")
    ] = "127.0.0.1",
    sound: Annotated[bool, typer.Option(help="listen to the microphone or line")] = True,
    sound_file: Annotated[Path | None, typer.Option(help="listen to a file in its place")] = None,
    follow: Annotated[list[str] | None, typer.Option(help=FOLLOW_HELP)] = None,
    link: Annotated[bool, typer.Option("--link", help="share the tempo by Ableton Link (aalink)")] = False,
    virtual_camera: Annotated[bool, typer.Option("--virtual-camera", help="also as a camera (pyvirtualcam)")] = False,
    ndi: Annotated[bool, typer.Option("--ndi", help="also as an NDI source (cyndilib)")] = False,
    web: Annotated[bool, typer.Option("--web", help="control and output as pages of a browser, no window")] = False,
    host: Annotated[str | None, typer.Option(help="address of the pages; 0.0.0.0 for a tablet")] = None,
    port: Annotated[int | None, typer.Option(help="port of the pages")] = None,
) -> None:
    """Play in a window, or with --web in a browser. What is missing is said, and the show goes on without it."""
    leave_for_later()
    from stylizer.vj.inputs.gamepad import GAMEPAD_MAP
    from stylizer.vj.inputs.mapping import Binding, Mapper, ngx_map, read_map
    from stylizer.vj.inputs.midi import MidiInput
    from stylizer.vj.loop import open_loop
    from stylizer.vj.outputs.broadcast import Broadcast
    from stylizer.vj.outputs.window import Window
    from stylizer.vj.person import PersonMatte
    from stylizer.vj.rig import Plugs, open_inputs, open_outlets
    from stylizer.vj.session import VjSession
    from stylizer.vj.show import Show

    bank, settings = Bank(), Settings.load(host=host, port=port)
    start = with_models(bank, find_preset(preset), model_a, model_b)
    always = tuple(Modulator.parsed(text) for text in follow or ())
    knobs = midi_map or Path("knobs.toml")
    learned: tuple[Binding, ...] = ()
    try:
        learned = read_map(knobs) if midi_map or knobs.exists() else ()
    except BadInput as error:  # a show begins without its knobs rather than not at all
        _missing(error)
    # What was called wrongly has been told by now; from here on networks are loaded.
    loop = open_loop(settings.device, cache=settings.cache / "vj")
    session = VjSession(bank, loop=loop, matte=PersonMatte.best(settings))
    session.play(start)
    session.modulators.always = always
    mapper = Mapper([*ngx_map(bank.names), *GAMEPAD_MAP, *learned], soft=soft)
    side = int(str(session.controls["output_size"]))
    screen, shows = Broadcast() if web else Window(full_screen=full_screen), list(presets().values())
    show = Show(
        session,
        screen,
        shows,
        mapper,
        outlets=open_outlets(side, virtual_camera=virtual_camera, ndi=ndi, missing=_missing),
        map_path=knobs,
        tell=lambda line: None if web else out.print(f"\r{line:78}", end="", highlight=False),
    )
    plugs = Plugs(
        osc_host=osc_host,
        osc_port=osc_port,
        microphone=sound and not sound_file,
        sound_file=sound_file,
        link=link,
        guest=guest,
    )
    opened = open_inputs(show, plugs, _missing)
    try:
        if isinstance(screen, Broadcast):
            devices = [each for each in opened if isinstance(each, MidiInput)]
            _serve(settings, show, screen, mapper, shows, lambda: tuple(d for m in devices for d in m.devices))
        else:
            out.print("  ".join(help_lines()), highlight=False)
            collect_the_new_only()
            show.run()
    finally:
        for each in opened:
            each.close()
    out.print(f"\nsound to picture: {show.sound_to_picture_ms:.0f} ms" if show.sound_to_picture_ms else "")


def _serve(*parts: object) -> None:
    """The pages are above this package (imports run downwards only), so they are looked up by name."""
    serve = importlib.import_module("web.vj.server").serve
    collect_the_new_only()
    serve(*parts)


def with_models(bank: Bank, preset: Preset, a: str | None, b: str | None) -> Preset:
    """The preset with other models in its slots; files are loaded."""
    slots = {"model_a": a, "model_b": b}
    given = {slot: bank.load(Path(n)) if Path(n).suffix in SUFFIXES else n for slot, n in slots.items() if n}
    return replace(preset, controls={**preset.controls, **given})


def _missing(error: StylizerError) -> None:
    err.print(Text.assemble(("without: ", "yellow"), str(error)), soft_wrap=True)


@vj_app.command("osc")
def osc_addresses() -> None:
    """The OSC addresses and what each takes."""
    from stylizer.vj.inputs.osc import addresses

    for address, takes in addresses():
        out.print(f"{address}  {takes}", highlight=False)


@vj_app.command("list")
def list_all() -> None:
    """The embedded models and presets."""
    bank = Bank()
    models = Table("model", "title", "learned from", box=None, header_style="bold")
    for name in bank.names:
        card = bank.card(name)
        models.add_row(name, card.title, card.data)
    shows = Table("preset", "title", box=None, header_style="bold")
    for preset in presets().values():
        shows.add_row(preset.name, preset.title)
    out.print(models)
    out.print(shows)
