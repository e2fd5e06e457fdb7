"""The show as a camera that other programs can choose, where pyvirtualcam and a driver are installed."""

from stylizer.errors import Unavailable
from stylizer.vj.outputs.outlet import Outlet


def virtual_camera(side: int) -> Outlet:
    """side x side, px, whatever the show's size. Raises Unavailable with what is missing: the package, or the driver's
    own words."""
    try:
        import pyvirtualcam
    except ImportError:
        raise Unavailable("a virtual camera needs pyvirtualcam: install stylizer[venue]") from None
    try:
        camera = pyvirtualcam.Camera(width=side, height=side, fps=30)
    except RuntimeError as error:
        raise Unavailable(f"no virtual camera ({error})") from None
    return Outlet("virtual camera", side, camera.send, camera.close)
