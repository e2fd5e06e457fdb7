"""Neck, trunk, seat and what covers them: top, collar, coat, belt, skirt."""

import numpy as np
import skia

from stylizer.training.data.characters.limbs import Limbs
from stylizer.training.data.characters.painter import Print
from stylizer.training.data.characters.shapes import Points, polygon, smooth_path
from stylizer.training.data.characters.sheet import Round, toon


class Body(Limbs):
    """The whole figure below the head."""

    def trunk(self) -> None:
        """Neck, top or coat, seat, belt, skirt."""
        outline = self._trunk_outline(1.0)
        self._seat()
        neck, chest = self.view.at(self.s.head), self.view.at(self.s.chest)
        thick = 0.031 * (0.8 + 0.2 * self.girth)
        self.sheet.group([self.bone(chest + (0, 0.02 * self.u), neck, thick * 1.25, thick, "skin", "skin")])
        c = self.figure.clothes
        front = abs(self.s.head_yaw) < 120 and self._facing() > -0.2
        form = Round(self.view.at(self.s.chest), self.view.at(np.zeros(3)), self._half(0.118) * self.u)
        top = self.shape(smooth_path(outline, tension=0.9), "top", "top", form, self._top_print())
        self.sheet.group([top], root=None)
        if front:
            self._collar(chest)
        if c.belt and c.bottom != "long_skirt" and not c.coat:
            self._belt()
        self._trunk_folds()
        if c.coat:
            self._coat(form, front)

    def _trunk_outline(self, grow: float, low: float = 0.035) -> Points:
        """The top, from the neck down to `low` body heights below the hips' joints."""
        b, v, u = self.figure.build, self.view, self.u
        g = grow * (0.62 + 0.38 * self.girth) * (0.94 + 0.06 * self.figure.clothes.looseness)
        chest, waist, hips = v.at(self.s.chest), v.at(self.s.waist), v.at(np.zeros(3))
        down = (hips - chest) / (np.hypot(*(hips - chest)) + 1e-6)
        across = np.array([down[1], -down[0]])
        s0 = max(self._half(b.shoulder * 1.0), 0.05) * u
        rib, mid = self._half(b.shoulder * 0.98) * g * u, self._half(b.shoulder * 0.95 * b.waist) * g * u
        low_half = self._half((b.hip + 0.036) * 1.04) * g * u
        neck = 0.036 * u
        lift = 0.022 * u
        right = [
            chest - down * 0.03 * u + across * neck,
            chest - down * 0.012 * u + across * s0 * 0.58,
            chest + across * (s0 + 0.2 * lift) + down * lift * 0.9,
            chest + across * max(rib * 0.97, s0 * 0.9) + down * 0.075 * u,
            waist + across * mid - down * 0.01 * u,
            hips + across * low_half,
            hips + down * low * u + across * low_half * 1.02,
        ]
        left = [2 * (chest + down * float((p - chest) @ down)) - p for p in right]
        return np.array(right + left[::-1])

    def _seat(self) -> None:
        """The pelvis in the colour of the bottom, under the top's hem."""
        c, v, u = self.figure.clothes, self.view, self.u
        g = 0.62 + 0.38 * self.girth
        hips, waist = v.at(np.zeros(3)), v.at(self.s.waist)
        half = self._half((self.figure.build.hip + 0.032) * 0.98) * g * u
        points = [
            hips + (waist - hips) * 0.3 + (-half * 0.88, 0),
            hips + (-half, -0.02 * u),
            hips + (-half * 1.0, 0.03 * u),
            hips + (-half * 0.4, 0.075 * u),
            hips + (half * 0.4, 0.075 * u),
            hips + (half, 0.03 * u),
            hips + (half, -0.02 * u),
            hips + (waist - hips) * 0.3 + (half * 0.88, 0),
        ]
        form = Round(waist, hips + (0, 0.05 * u), half)
        low = (hips + (0, 0.06 * u), half * 0.92)
        self.sheet.group([self.shape(smooth_path(points), "bottom", "bottom", form)], root=low, cast=0)
        if c.bottom in ("skirt", "long_skirt"):
            self._skirt(waist, hips, half)

    def _skirt(self, waist: Points, hips: Points, half: float) -> None:
        c, u = self.figure.clothes, self.u
        share = 0.95 if c.bottom == "skirt" else 1.75
        knees, ankles = [self.view.at(k) for k in self.s.knees], [self.view.at(a) for a in self.s.ankles]
        ends = sorted(
            (self._along(hips, k, a, min(1.0, share / 2)) for k, a in zip(knees, ankles, strict=True)),
            key=lambda p: float(p[0]),
        )
        wide = half * (0.45 + 0.5 * (c.looseness - 1) * 2) + 0.02 * u
        hem = max(float(e[1]) for e in ends)
        left, right = ends[0] + (-wide, 0), ends[1] + (wide, 0)
        left[1], right[1] = (left[1] + hem) / 2, (right[1] + hem) / 2
        middle = np.array([(left[0] + right[0]) / 2, hem + 0.012 * u])
        points = [
            waist + (-half * 0.85, 0),
            hips + (-half * 1.04, 0),
            left,
            middle,
            right,
            hips + (half * 1.04, 0),
            waist + (half * 0.85, 0),
        ]
        form = Round(hips, middle, (right[0] - left[0]) / 2)
        self.sheet.group(
            [
                self.shape(
                    smooth_path(points, tension=0.7),
                    "bottom",
                    "bottom",
                    form,
                    self._stripes(waist, hips, 0.04) if c.bottom_pattern != "none" else None,
                )
            ]
        )
        for t in (-0.5, 0.0, 0.45):
            a, b = hips + (half * t, 0.02 * u), middle + ((right[0] - left[0]) * 0.5 * t, -0.01 * u)
            self.sheet.line(
                smooth_path([a, (a + b) / 2 + (self.rng.normal(0, 0.006) * u, 0), b], closed=False), 0.6, fold=0.4
            )

    def _top_print(self) -> Print | None:
        kind, u = self.figure.clothes.pattern, self.u
        chest, hips = self.view.at(self.s.chest), self.view.at(np.zeros(3))
        side = np.array([hips[1] - chest[1], chest[0] - hips[0]])
        accent = self.figure.colours["accent"]
        if kind == "stripes":
            return self._stripes(chest, hips, float(self.rng.uniform(0.02, 0.06)))
        if kind == "columns":
            return self._stripes(chest, chest + side, float(self.rng.uniform(0.02, 0.05)))
        if kind == "plaid":
            return self._stripes(chest, hips, 0.045) + self._stripes(chest, chest + side, 0.045)
        if kind == "print" and self._facing() > 0.3:
            at = chest + (hips - chest) * self.rng.uniform(0.3, 0.5)
            n = int(self.rng.integers(3, 8))
            angles = np.sort(self.rng.uniform(0, 2 * np.pi, n))
            r = self.rng.uniform(0.02, 0.05, n) * u
            star = np.stack([at[0] + r * np.cos(angles) * self._facing(), at[1] + r * np.sin(angles)], 1)
            return [(smooth_path(star), accent, toon(accent))]
        return None

    def _collar(self, chest: Points) -> None:
        c, u = self.figure.clothes, self.u
        shift = np.sin(np.radians(self.figure.angles.yaw)) * 0.03 * u
        at = chest + (shift, -0.012 * u)
        w = 0.034 * u * max(0.45, self._facing())
        skin = [at + (-w, -0.012 * u), at + (w, -0.012 * u)]
        if c.collar == "round":
            low = [
                at + (-w, -0.012 * u),
                at + (-w * 0.7, 0.012 * u),
                at + (0, 0.02 * u),
                at + (w * 0.7, 0.012 * u),
                at + (w, -0.012 * u),
            ]
            self.sheet.group([self.shape(smooth_path(low), "skin", "skin", None)], ink=0, cast=0)
            self.sheet.line(smooth_path(low, closed=False), 0.8)
        elif c.collar in ("v", "shirt"):
            deep = 0.055 if c.collar == "v" else 0.04
            self.sheet.group([self.shape(polygon([*skin, at + (0, deep * u)]), "skin", "skin", None)], ink=0, cast=0)
            self.sheet.line(polygon([skin[0], at + (0, deep * u), skin[1], at + (0, deep * u)]), 0.8)
        else:
            high = [
                at + (-w * 1.05, -0.03 * u),
                at + (w * 1.05, -0.03 * u),
                at + (w * 1.1, 0.012 * u),
                at + (-w * 1.1, 0.012 * u),
            ]
            self.sheet.group([self.shape(smooth_path(high, tension=0.6), "top", "top", None)], ink=0.8)
        if c.collar == "shirt":
            for side in (-1, 1):
                flap = [
                    at + (side * w * 1.1, -0.022 * u),
                    at + (side * w * 1.35, 0.02 * u),
                    at + (side * w * 0.5, 0.035 * u),
                    at + (side * w * 0.3, 0.012 * u),
                ]
                self.sheet.group([self.shape(polygon(flap), "top", "top", None)], ink=0.7)
        if c.pattern == "buttons" or c.collar == "shirt":
            hips = self.view.at(np.zeros(3))
            self.sheet.line(smooth_path([at + (0, 0.04 * u), hips + (shift, 0.03 * u)], closed=False), 0.6, fold=0.3)

    def _belt(self) -> None:
        u, hips, waist = self.u, self.view.at(np.zeros(3)), self.view.at(self.s.waist)
        half = self._half((self.figure.build.hip + 0.036) * 1.05) * (0.62 + 0.38 * self.girth) * u
        at = hips + (waist - hips) * 0.15
        band = [at + (-half, -0.007 * u), at + (half, -0.007 * u), at + (half, 0.009 * u), at + (-half, 0.009 * u)]
        self.sheet.group([self.shape(polygon(band), "shoes", "bottom", Round(at, at + (0, 1), half))], ink=0.7)

    def _trunk_folds(self) -> None:
        chest, hips, u = self.view.at(self.s.chest), self.view.at(np.zeros(3)), self.u
        for _ in range(int(self.rng.integers(2, 6))):
            t, x = self.rng.uniform(0.25, 0.95), self.rng.uniform(-0.06, 0.06) * max(0.4, abs(self._facing()))
            a = chest + (hips - chest) * t + (x * u, 0)
            b = a + np.array([self.rng.normal(0, 0.02) + np.sign(x) * 0.02, self.rng.uniform(-0.01, 0.045)]) * u
            bend = (a + b) / 2 + self.rng.normal(0, 0.005, 2) * u
            self.sheet.line(
                smooth_path([a, bend, b], closed=False), self.rng.uniform(0.4, 0.7), fold=self.rng.uniform(0.2, 0.6)
            )

    def _coat(self, form: Round, front: bool) -> None:
        c, u = self.figure.clothes, self.u
        outline = self._trunk_outline(1.1, low=0.03 + c.coat)
        n = len(outline)
        flare = 0.25 * c.coat * u
        outline[n // 2 - 1] += (flare, 0)
        outline[n // 2] -= (flare, 0)
        path = smooth_path(outline, tension=0.85)
        if front and c.open_front:  # a wedge of the top stays in sight
            chest, hips = self.view.at(self.s.chest), self.view.at(np.zeros(3))
            w = 0.05 * u * max(0.3, self._facing())
            shift = np.sin(np.radians(self.figure.angles.yaw)) * 0.05 * u
            wedge = polygon(
                [
                    chest + (shift - w * 0.7, -0.06 * u),
                    chest + (shift + w * 0.7, -0.06 * u),
                    hips + (shift + w, (0.05 + c.coat) * u),
                    hips + (shift - w, (0.05 + c.coat) * u),
                ]
            )
            cut = skia.Op(path, wedge, skia.PathOp.kDifference_PathOp)
            path = cut if cut is not None else path
        self.sheet.group([self.shape(path, "coat", "top", form)], cast=0.45)
        if front and not c.open_front:
            chest, hips = self.view.at(self.s.chest), self.view.at(np.zeros(3))
            self.sheet.line(smooth_path([chest, hips + (0, c.coat * u)], closed=False), 0.8)
            self._collar(chest)
