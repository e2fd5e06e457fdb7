"""Arms and legs, bare and clothed, and what a hand holds."""

import numpy as np
import skia

from stylizer.training.data.characters.painter import Painter, Print
from stylizer.training.data.characters.shapes import Points, ellipse, limb, polygon, smooth_path
from stylizer.training.data.characters.sheet import Label, Round, Shape, toon


class Limbs(Painter):
    """i is 0 for the figure's left, 1 for its right."""

    def arm(self, i: int) -> None:
        v, g, c = self.view, 0.75 + 0.25 * self.girth, self.figure.clothes
        shoulder, elbow, wrist, hand = (
            v.at(j[i]) for j in (self.s.shoulders, self.s.elbows, self.s.wrists, self.s.hands)
        )
        root = (shoulder, 0.036 * g * self.u)
        ru, re, rw = 0.027 * g, 0.021 * g, 0.0155 * g
        covered = c.sleeve if not (c.coat and self.rng.random() < 0.9) else 1.0
        key = "coat" if c.coat and covered == 1.0 else "top"
        skin = [
            self.bone(wrist, hand + (hand - wrist) * 0.15, 0.0165, 0.0125, "skin", "skin", bulge=0.35),
            self.bone(shoulder, elbow, ru, re, "skin", "skin", bulge=0.05),
            self.bone(elbow, wrist, re, rw, "skin", "skin", bulge=0.12),
        ]
        thumb = (
            wrist
            + (hand - wrist) * 0.45
            + (np.array([hand[1] - wrist[1], wrist[0] - hand[0]])) * (0.42 if i else -0.42)
        )
        skin.insert(0, self.bone(wrist + (hand - wrist) * 0.2, thumb, 0.006, 0.005, "skin", "skin"))
        self.sheet.group(skin, root=root)
        self._held(i, hand)
        if covered <= 0:
            return
        loose = c.looseness
        end, sleeve = self._along(shoulder, elbow, wrist, covered), []
        if covered > 0.55:
            r = (re + (rw - re) * (covered - 0.5) * 2) * loose
            sleeve = [
                self.bone(shoulder, elbow, ru * loose, re * loose, key, "top"),
                self.bone(elbow, end, re * loose, r * 1.05, key, "top", flat=True),
            ]
        else:
            sleeve = [
                self.bone(
                    shoulder, end, ru * loose, (ru + (re - ru) * covered * 2) * loose * 1.1, key, "top", flat=True
                )
            ]
        sleeve.insert(
            0, self.shape(ellipse(shoulder, ru * loose * self.u, ru * loose * self.u), key, "top", sleeve[0].form)
        )
        if c.pattern == "stripes" and key == "top":
            for part in sleeve:
                part.print = self._stripes(shoulder, end, 0.05)
        self.sheet.group(sleeve, root=(shoulder, 0.042 * g * self.u))
        if covered > 0.55:
            self._elbow_folds(shoulder, elbow, wrist, re)

    def _elbow_folds(self, a: Points, b: Points, c: Points, r: float) -> None:
        for t in (-0.25, 0.12):
            at = b + (c - b) * t if t > 0 else b + (b - a) * t
            axis = (c - b if t > 0 else b - a) / (np.hypot(*(c - b)) + 1e-6)
            across = np.array([-axis[1], axis[0]]) * r * self.u
            path = smooth_path(
                [at - across * 0.9, at + axis * r * self.u * 0.4, at + across * self.rng.uniform(-0.2, 0.4)],
                closed=False,
            )
            self.sheet.line(path, 0.5, fold=0.4)

    def leg(self, i: int) -> None:
        v, g, c = self.view, 0.7 + 0.3 * self.girth, self.figure.clothes
        hip, knee, ankle = (v.at(j[i]) for j in (self.s.hips, self.s.knees, self.s.ankles))
        toe = v.at(self.s.toes[i])
        rt, rk, rc, ra = 0.050 * g, 0.030 * g, 0.031 * g, 0.0175 * g
        root = (hip, 0.062 * g * self.u)
        calf = knee + (ankle - knee) * 0.3
        tights = c.bottom == "leggings"
        key: str = "bottom" if tights else "skin"
        label: Label = "bottom" if tights else "skin"
        self._shoe(ankle, toe, ra)
        bare = [self.bone(hip, knee, rt, rk, key, label), self.bone(knee, ankle, rk, ra, key, label, bulge=0.16)]
        self.sheet.group(bare, root=root)
        if c.socks and not tights:
            top = ankle + (calf - ankle) * min(1.0, c.socks * 2)
            self.sheet.group(
                [self.bone(top, ankle, ra * 1.12 + (rc - ra) * min(1, c.socks * 2) * 0.8, ra * 1.12, "socks", "shoes")],
                ink=0.7,
            )
        if c.boots:
            top = ankle + (knee - ankle) * c.boots
            self.sheet.group([self.bone(top, ankle, rc * 1.15, ra * 1.4, "shoes", "shoes", flat=False)])
            self._shoe(ankle, toe, ra * 1.2)
        loose = c.looseness
        if c.bottom in ("trousers", "jeans"):
            flare = ra * (1.25 if c.bottom == "jeans" else 1.0 + 0.9 * (loose - 1) * 2)
            cloth = [
                self.bone(hip, knee, rt * (0.97 + 0.06 * loose), rk * loose, "bottom", "bottom"),
                self.bone(
                    knee,
                    ankle + (toe - ankle) * 0.05,
                    rk * loose,
                    flare * loose,
                    "bottom",
                    "bottom",
                    bulge=0.06,
                    flat=True,
                ),
            ]
            self._leg_print(cloth, hip, ankle)
            self.sheet.group(cloth, root=root)
            self._elbow_folds(hip, knee, ankle, rk * loose)
        elif c.bottom == "shorts":
            end = hip + (knee - hip) * (0.55 + 0.5 * (loose - 1.04))
            cloth = [self.bone(hip, end, rt * 1.02, (rk + 0.008) * loose * 1.1, "bottom", "bottom", flat=True)]
            self._leg_print(cloth, hip, end)
            self.sheet.group(cloth, root=root)

    def _leg_print(self, cloth: list[Shape], top: Points, end: Points) -> None:
        kind = self.figure.clothes.bottom_pattern
        if kind == "side":
            line = smooth_path([top, end], closed=False)
            wide = skia.Path()
            skia.Paint(Style=skia.Paint.kStroke_Style, StrokeWidth=0.014 * self.u).getFillPath(line, wide)
            wide.offset(0.03 * self.u * (1 if top[0] > self.view.origin[0] else -1), 0)
            for part in cloth:
                part.print = [(wide, self.figure.colours["accent"], toon(self.figure.colours["accent"]))]
        elif kind in ("columns", "plaid"):
            for part in cloth:
                part.print = self._stripes(top, top + np.array([0.2 * self.u, 0]), 0.03)

    def _shoe(self, ankle: Points, toe: Points, ra: float) -> None:
        u = self.u
        side = np.sign(toe[0] - ankle[0]) or 1.0
        heel = ankle + np.array([-side * ra * u * 1.1, 0.030 * u])
        front = toe + np.array([side * 0.012 * u, 0.018 * u])
        top = ankle + np.array([0, -0.012 * u])
        wide = max(0.016, ra) * u
        points = [
            top + (-wide * 1.05, 0),
            top + (wide * 1.05, 0),
            (front + top) / 2 + (side * wide * 0.6, -0.002 * u),
            front + (0, -0.012 * u),
            front + (-side * 0.004 * u, 0.008 * u),
            (heel + front) / 2 + (0, 0.014 * u),
            heel + (0, 0.008 * u),
            heel + (-side * 0.004 * u, -0.01 * u),
        ]
        centre = (heel + front) / 2
        hull = _around(np.array(points))
        self.sheet.group(
            [self.shape(smooth_path(hull, tension=0.8), "shoes", "shoes", Round(centre, centre, 0.045 * u))], cast=0.2
        )

    def _held(self, i: int, at: Points) -> None:
        kind, u = self.figure.held, self.u
        if kind in ("none", "ball") or i != self.figure.seed % 2:
            return
        if kind == "phone":
            path = polygon(
                [
                    at + (-0.012 * u, -0.03 * u),
                    at + (0.014 * u, -0.027 * u),
                    at + (0.012 * u, 0.028 * u),
                    at + (-0.014 * u, 0.025 * u),
                ]
            )
        elif kind == "cup":
            path = polygon(
                [
                    at + (-0.02 * u, -0.045 * u),
                    at + (0.02 * u, -0.045 * u),
                    at + (0.015 * u, 0.02 * u),
                    at + (-0.015 * u, 0.02 * u),
                ]
            )
        elif kind == "bag":
            path = smooth_path(
                [
                    at + (-0.05 * u, 0.05 * u),
                    at + (0, 0.0),
                    at + (0.05 * u, 0.05 * u),
                    at + (0.055 * u, 0.14 * u),
                    at + (-0.055 * u, 0.14 * u),
                ],
                tension=0.6,
            )
        else:
            tilt = self.rng.normal(0, 0.5)
            axis = np.array([np.sin(tilt), np.cos(tilt)]) * u
            path = limb(at - axis * 0.25, at + axis * self.rng.uniform(0.15, 0.45), 0.006 * u, 0.006 * u)
        self.sheet.group([self.shape(path, "object", "object", Round(at, at + (0, 1), 0.05 * u))])

    def ball(self) -> None:
        if self.figure.held != "ball":
            return
        r = float(self.rng.uniform(0.035, 0.08)) * self.u
        at = self.view.origin + np.array(self.figure.held_at) * self.u
        accent = self.figure.colours["accent"]
        spots: Print = [
            (ellipse(at + r * np.array([np.cos(a), np.sin(a)]) * 0.75, r * 0.3, r * 0.3), accent, toon(accent))
            for a in np.arange(4) * 1.6 + self.rng.random()
        ]
        body = self.shape(
            ellipse(at, r, r), "object", "object", Round(at, at, r), spots if self.rng.random() < 0.5 else None
        )
        self.sheet.group([body], cast=0.2)


def _around(points: Points) -> Points:
    """The points in order of their angle around their middle, so that the outline cannot cross itself."""
    rel = points - points.mean(0)
    return points[np.argsort(np.arctan2(rel[:, 1], rel[:, 0]))]
