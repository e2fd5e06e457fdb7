"""Try it: camera or clip on the left, every control on the right, numbers below."""

import random
import time
from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit_webrtc import WebRtcMode, webrtc_streamer
from streamlit_webrtc.webrtc import SignallingTimeoutError

from stylizer.controls import CONTROLS, Value
from stylizer.errors import StylizerError
from stylizer.frame import PixelsU8
from stylizer.styles import CLIP
from web import compat
from web.rtc.ice import browser_ice_servers
from web.studio import before_after, presets, reference, resources
from web.studio.bridge import CONNECT_S, Bridge, CameraSink, play_clip
from web.studio.strings import said, t
from web.studio.trouble import COMPONENT, trouble
from web.studio.widgets import key, standing_at, widget

TRIES = 4  # each waits twice as long as the one before it
GROUPS = {
    "style": ("style", "style_strength", "medium", "ink", "eyes"),
    "look": ("seed", "look", "mix_from", "truncation_psi"),
    "picture": ("background", "background_colour", "framing", "mirror"),
}
CAMERA = {"video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "frameRate": {"ideal": 30}}, "audio": False}
VIDEO = {
    "autoPlay": True,
    "muted": True,
    "playsInline": True,
    "controls": False,
    "style": {
        "width": "100%",
        "aspectRatio": "4/3",
        "objectFit": "contain",
        "borderRadius": "14px",
        "background": "#191b20",
    },
}
EMPTY_STAGE = """
<div style="aspect-ratio: 4/3; border-radius: 14px; background: #191b20; color: #b3b1ab; display: grid;
  place-items: center; text-align: center; padding: 10%; font-size: 1.15rem">
  {stand}<br>{not_recorded}
</div>
"""


@dataclass
class Visit:
    """What one visitor has on the stage. `take` is new for each connection: a component that was stopped stays so."""

    source: str
    bridge: Bridge
    sink: CameraSink | None
    take: int
    tries: int  # connections in a row that brought no picture
    begun_s: float | None = None  # on the monotonic clock: when the browser's offer was seen
    played_s: float | None = None  # and when its connection was
    reference: PixelsU8 | None = None  # what its session was given

    @property
    def key(self) -> str:
        return f"stage-{self.take}"

    @property
    def trouble(self) -> str | None:
        """As `trouble` says it. The clip is always there: only the way to the browser can fail it."""
        now_s = time.monotonic()
        newest_s = now_s if self.sink is None else self.sink.intake.last_at_s
        return trouble(now_s, self.begun_s, self.played_s, newest_s)


@dataclass
class Stage:
    """What a page keeps between two runs of its script; changed by attribute only, and callbacks are handed it.

    Streamlit breaks a script or a callback off at any touch of its session state when another run is asked for: a
    place taken just before would belong to nobody, a click would be lost.
    """

    visit: Visit | None = None
    wanted: str | None = None  # the source of a visit that is to begin
    asked: dict[str, Value] = field(default_factory=dict)  # where controls are to stand when they are drawn next
    problem: str | None = None
    choice: reference.Choice = field(default_factory=reference.Choice)


def page() -> None:
    stage = _stage()
    if stage.wanted is not None:
        _begin(stage, stage.wanted)
    left, right = st.columns([1.75, 1], gap="large")
    with right:
        _panel(stage)
    with left:
        _show(stage)
        _numbers(stage)


def again() -> None:
    """The same page at an address of its own: Streamlit's first page has none, and people type one."""
    page()


def _stage() -> Stage:
    stage: Stage = st.session_state.setdefault("stage", Stage())
    return stage


@st.fragment
def _panel(stage: Stage) -> None:
    """A fragment: a control that moves does not run the stage's script anew."""
    presets.panel(stage.asked)
    for name, value in stage.asked.items():
        st.session_state[key(name)] = value
    stage.asked.clear()
    controls = _controls(stage)
    visit = stage.visit
    if visit is not None and not visit.bridge.closed.is_set():
        now = visit.bridge.session.controls
        for name, value in controls.items():
            if value != now[name]:
                _set(visit, name, value)
        _give_reference(stage, visit)


def _set(visit: Visit, name: str, value: Value) -> None:
    """One by one: a style that cannot be played is told, and holds no other control back."""
    try:
        visit.bridge.session.set({name: value})
    except StylizerError as error:
        st.warning(said(error))


def _give_reference(stage: Stage, visit: Visit) -> None:
    if visit.reference is not stage.choice.pixels:
        visit.reference = stage.choice.pixels
        reference.give(stage.choice, visit.bridge.session)


def _controls(stage: Stage) -> dict[str, Value]:
    styles = resources.pipeline().styles
    values: dict[str, Value] = {}
    for title, names in GROUPS.items():
        with st.container(border=True):
            for name in names:
                values[name] = widget(CONTROLS[name], styles, resources.titles())
            if title == "look":
                left, right = st.columns(2)
                left.button(t("reroll"), icon=":material/casino:", width="stretch", on_click=_reroll, args=(stage,))
                right.button(t("own_colours"), width="stretch", on_click=_own_colours, args=(stage,))
                reference.panel(stage.choice)
    return values


def _reroll(stage: Stage) -> None:
    """A reference would stand before it."""
    stage.asked["seed"] = random.randint(1, int(CONTROLS["seed"].hi))
    reference.forget(stage.choice)


def _own_colours(stage: Stage) -> None:
    stage.asked["seed"] = 0
    reference.forget(stage.choice)


def _show(stage: Stage) -> None:
    if stage.visit is not None and stage.visit.bridge.closed.is_set():
        _connect_again(stage, stage.visit)
    visit = stage.visit
    left, right = st.columns(2, vertical_alignment="center")
    if visit is None:
        _offer_sources(stage, left, right)
        return
    left.button(t("stop"), icon=":material/stop_circle:", width="stretch", on_click=_end, args=(stage,))
    source = t(visit.source)
    right.caption(t("connecting_again", source=source, tries=visit.tries) if visit.tries else source)
    _stream(visit)


def _offer_sources(stage: Stage, left: DeltaGenerator, right: DeltaGenerator) -> None:
    left.button(
        t("start_camera"),
        icon=":material/videocam:",
        type="primary",
        width="stretch",
        on_click=_want,
        args=(stage, "camera"),
    )
    right.button(
        t("play_clip"),
        icon=":material/movie:",
        width="stretch",
        on_click=_want,
        args=(stage, "clip"),
        disabled=not CLIP.exists(),
    )
    if stage.problem:
        st.warning(stage.problem)
    else:
        st.html(EMPTY_STAGE.format(stand=t("stand"), not_recorded=t("not_recorded")))


def _want(stage: Stage, source: str) -> None:
    stage.wanted = source


def _begin(stage: Stage, source: str) -> None:
    """Takes the place before the browser is asked for anything. A second click, or one told twice, takes no other."""
    if stage.visit is None:
        st.session_state[key("mirror")] = source == "camera"
        _join(stage, source, tries=0)
    stage.wanted = None


def _join(stage: Stage, source: str, tries: int) -> None:
    """A place with the controls as they stand, or the reason in `problem`."""
    styles = resources.pipeline().styles
    controls = {name: standing_at(CONTROLS[name], styles) for names in GROUPS.values() for name in names}
    worker, present = resources.worker(), compat.studio_page_present()
    _end(stage)
    stage.problem = None
    try:
        bridge = Bridge(worker.join(controls), present)
    except StylizerError as error:
        stage.problem = said(error)
        return
    connect_s = CONNECT_S * 2**tries
    sink = CameraSink(bridge, connect_s) if source == "camera" else None
    if sink is None:
        play_clip(bridge, CLIP, connect_s)
    stage.visit = Visit(source, bridge, sink, time.time_ns(), tries)
    _give_reference(stage, stage.visit)


def _connect_again(stage: Stage, lost: Visit) -> None:
    """A stream that broke, or never began, is begun anew without a word from the visitor."""
    tries = 0 if lost.bridge.results.unique else lost.tries + 1
    if tries <= TRIES:
        _join(stage, lost.source, tries)
    else:
        why = t("blocked" if lost.played_s is None else "silent")
        stage.visit, stage.problem = None, t("given_up", tries=tries, why=why)


def _end(stage: Stage) -> None:
    visit, stage.visit = stage.visit, None
    if visit is not None:
        visit.bridge.close()


def _stream(visit: Visit) -> None:
    """The WebRTC component."""
    servers = browser_ice_servers(resources.settings(), visit.bridge.session.id, time.time())
    camera = visit.source == "camera"
    compat.keep_studio_stream(visit.key)
    try:
        state = webrtc_streamer(
            key=visit.key,
            mode=WebRtcMode.SENDRECV if camera else WebRtcMode.RECVONLY,
            rtc_configuration={"iceServers": servers},  # an empty list, or the library asks a server on the internet
            media_stream_constraints=CAMERA if camera else {"video": True, "audio": False},
            sink_video_track=visit.sink,
            source_video_track=visit.bridge.results,
            # Told to play for longer than it takes, the frontend would meet a break with offers without end, as fast as
            # it can, and a server that was away for some seconds would never be done with them.
            desired_playing_state=None if visit.begun_s is not None else compat.studio_component_is_up(visit.key),
            media_toggle_controls=camera,  # with more than one camera: which one
            translations={name: t(words) for name, words in COMPONENT.items()},
            video_html_attrs=VIDEO,
        ).state
    except SignallingTimeoutError:  # a machine too busy to answer within the library's 10 s
        visit.bridge.close()
        st.rerun()
    # The browser lost us and offers anew, which the library would not answer.
    if visit.played_s is not None and not state.playing:
        visit.bridge.close()
        st.rerun()
    if visit.begun_s is None and (state.signalling or state.playing):
        visit.begun_s = time.monotonic()
    if visit.played_s is None and state.playing:
        visit.played_s = time.monotonic()


@st.fragment(run_every=1.0)
def _numbers(stage: Stage) -> None:
    visit = stage.visit
    if visit is None:
        return
    if visit.bridge.closed.is_set():
        st.rerun()  # the whole page: it connects again
    if fault := visit.trouble:
        st.warning(t(fault))
    bridge = visit.bridge
    stats = bridge.session.stats()
    columns = st.columns(4)
    columns[0].metric(t("fps"), f"{stats.fps:.0f}")
    columns[1].metric(t("latency", share="p50"), _ms(stats.latency_ms.get("p50")))
    columns[2].metric(t("latency", share="p95"), _ms(stats.latency_ms.get("p95")))
    columns[3].metric(t("dropped"), stats.dropped, help=t("dropped_help"))
    if stats.stages_ms:
        st.caption(" · ".join(f"{name} {ms:.1f} ms" for name, ms in stats.stages_ms.items()))
    if stats.failed:
        st.warning(t("failed", count=stats.failed))
    before_after.panel(bridge.session)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
