"""Times the VJ instrument's start: from the command to a moving picture in the hands of a viewer.

python -m benchmarks.vj_start [--times 5] [--json F]

`stylizer vj play --web` is started as a user starts it; a viewer without a browser asks for the picture over WebRTC
as soon as the page answers. `moving_s` ends with the second picture that differs from the one before it; `cpu_s` is the
processor time that the show took until then: on a machine with other work the start takes longer, but not more of it.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from statistics import median

import httpx
import numpy as np
import psutil
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from stylizer import machine
from stylizer.cli_report import new_file
from tests.web.doubles import free_port

WITHIN_S = 60.0
ASK_EVERY_S = 0.02


async def viewed(port: int, begin: float) -> dict[str, float]:
    """Seconds since `begin` until the page answers, the first picture and the second other picture."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
        while not await _answers(http):
            await asyncio.sleep(ASK_EVERY_S)
        page_s = time.monotonic() - begin
        http.headers["Origin"] = str(http.base_url)
        stream = (await http.post("/v1/streams", json={"controls": {}})).json()
        http.headers["Authorization"] = f"Bearer {stream['token']}"
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTransceiver("video", direction="recvonly")
        tracks: asyncio.Queue[object] = asyncio.Queue()
        peer.on("track", tracks.put_nowait)
        await peer.setLocalDescription(await peer.createOffer())
        answer = (await http.post(f"/v1/streams/{stream['id']}/offer", json={"sdp": peer.localDescription.sdp})).json()
        await peer.setRemoteDescription(RTCSessionDescription(sdp=answer["sdp"], type="answer"))
        track = await tracks.get()
        first_s, others, last = 0.0, 0, None
        while others < 2:
            pixels = (await track.recv()).to_ndarray(format="rgb24").astype(int)
            first_s = first_s or time.monotonic() - begin
            others += last is not None and float(np.abs(pixels - last).mean()) > 1
            last = pixels
        await peer.close()
        return {"page_s": page_s, "picture_s": first_s, "moving_s": time.monotonic() - begin}


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/health")).status_code == 200
    except httpx.TransportError:
        return False


def started() -> dict[str, float]:
    port = free_port()
    command = [sys.executable, "-m", "stylizer", "vj", "play", "--web", "--port", str(port), "--osc-port", "0"]
    begin = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as show:
        try:
            seen = asyncio.run(asyncio.wait_for(viewed(port, begin), WITHIN_S))
            used = psutil.Process(show.pid).cpu_times()
            return {**seen, "cpu_s": used.user + used.system}
        finally:
            show.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vj_start", description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", type=new_file)
    args = parser.parse_args()
    runs = [{key: round(value, 2) for key, value in started().items()} for _ in range(args.times)]
    middle = {key: median(run[key] for run in runs) for key in runs[0]}
    for run in (*runs, middle):
        sys.stdout.write(" ".join(f"{key}={value:.2f}" for key, value in run.items()) + "\n")
    if args.json:
        result = {
            "command": "python -m benchmarks.vj_start " + " ".join(sys.argv[1:]),
            "machine": machine.describe(),
            "date": time.strftime("%Y-%m-%d"),
            "load": round(os.getloadavg()[0], 1),
            "median": middle,
            "runs": runs,
        }
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
