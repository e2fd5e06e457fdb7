"""Offers from strangers: limits, and only candidates that the worker may be made to send packets to."""

import ipaddress
import re

from stylizer.errors import BadInput
from web.compat import parse_sdp

MAX_SDP_BYTES = 64 * 1024  # Chromium's offer for one video and one data channel has about 6 kB
MAX_CANDIDATES = 40
CODECS = {"VP8", "H264"}
_CANDIDATE = re.compile(r"^a=candidate:\S+ \d+ \S+ \d+ (\S+) \d+ typ \S+", re.IGNORECASE)
_MDNS = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local$", re.IGNORECASE)


def checked_offer(sdp: str, client: str) -> str:
    """The offer without the candidates that `client` (the address it came from) has no business to name.

    Raises BadInput: too long, unparsable, not exactly one video line and at most one data line, no codec we speak.
    """
    if len(sdp.encode()) > MAX_SDP_BYTES:
        raise BadInput(f"sdp: {len(sdp.encode())} bytes, at most {MAX_SDP_BYTES} are allowed")
    cleaned = _filter_candidates(sdp, client)
    media = parse_sdp(cleaned).media
    kinds = sorted(m.kind for m in media)
    if kinds not in (["video"], ["application", "video"]):
        raise BadInput(f"sdp: media lines {kinds or 'absent'}, allowed is one video and at most one application (data)")
    for line in media:
        if not (line.ice.usernameFragment and line.ice.password) or not (line.dtls and line.dtls.fingerprints):
            raise BadInput(f"sdp: the {line.kind} line lacks ice-ufrag, ice-pwd or fingerprint")
        if line.kind == "video" and not CODECS & {codec.name for codec in line.rtp.codecs}:
            raise BadInput(f"sdp: no video codec in common, allowed are {sorted(CODECS)}")
    return cleaned


def _filter_candidates(sdp: str, client: str) -> str:
    lines = sdp.splitlines()
    candidates = [line for line in lines if line.startswith("a=candidate:")]
    if len(candidates) > MAX_CANDIDATES:
        raise BadInput(f"sdp: {len(candidates)} candidates, at most {MAX_CANDIDATES} are allowed")
    return "\r\n".join(line for line in lines if line not in candidates or _may_be_sent_to(line, client)) + "\r\n"


def _may_be_sent_to(candidate: str, client: str) -> bool:
    """Loopback only for a client on this machine, private addresses for one on a private network, link-local never.

    A name counts as a private address, and only in the form that browsers hide their own behind (mDNS, a UUID): any
    other, printer.local too, is not resolved.
    """
    found = _CANDIDATE.match(candidate)
    if not found:
        return False
    origin = _address(client)
    if origin is None:
        return False
    if _MDNS.match(found[1]):
        return origin.is_private or origin.is_loopback
    target = _address(found[1])
    if target is None:
        return False
    if target.is_link_local or target.is_multicast or target.is_unspecified or target.is_reserved:
        return False
    if target.is_loopback:
        return origin.is_loopback
    return target.is_global or origin.is_private or origin.is_loopback


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip
