"""Which helpers a browser may use to find a path. On a local network: none, so that nothing waits for STUN."""

import base64
import hashlib
import hmac

from stylizer.config import Settings

TURN_TTL_S = 3600  # a leaked credential is worthless after an hour; coturn keeps running allocations alive


def browser_ice_servers(settings: Settings, stream_id: str, now_s: float) -> list[dict[str, str]]:
    """In the form of RTCConfiguration.iceServers. `now_s`: seconds since the epoch, the relay's clock."""
    if not settings.turn_url:
        return []
    username, credential = turn_credentials(settings.turn_secret.get_secret_value(), stream_id, now_s)
    return [{"urls": settings.turn_url, "username": username, "credential": credential}]


def turn_credentials(secret: str, user: str, now_s: float) -> tuple[str, str]:
    """Time-limited credentials as coturn's `use-auth-secret` checks them (draft-uberti-behave-turn-rest-00)."""
    username = f"{int(now_s) + TURN_TTL_S}:{user}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()
