"""The picture of many galaxies: where panels land, what is drawn in them, what is refused."""

import numpy as np
import pytest
import torch
from astropy import units as u
from PIL import Image

from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.images import montage, read_pictures, typeset

COLOURS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0], [250, 0, 250]], dtype=np.uint8)


def flat(index: int, size: int = 32) -> np.ndarray:
    return np.broadcast_to(COLOURS[index], (size, size, 3))


def colours_of(picture) -> set[tuple[int, int, int]]:
    return {colour for _, colour in picture.getcolors(maxcolors=1 << 24)}


def test_every_image_is_drawn_in_reading_order():
    picture = montage([flat(i) for i in range(5)], columns=3, panel=50)
    pixels = np.asarray(picture)
    rows, columns = np.nonzero((pixels == COLOURS[3]).all(-1))
    first = np.argwhere((pixels == COLOURS[0]).all(-1))
    assert len(rows) == 50 * 50
    assert rows.min() > first[:, 0].max()
    assert columns.min() == first[:, 1].min()


@pytest.mark.parametrize(
    "image",
    [
        np.full((20, 30, 3), 200, np.uint8),
        np.full((3, 20, 30), 200, np.uint8),
        np.full((20, 30), 200, np.uint8),
        np.full((20, 30, 3), 200 / 255),
        torch.full((3, 20, 30), 200 / 255),
    ],
)
def test_every_form_of_image_gives_the_same_picture(image):
    assert (200, 200, 200) in colours_of(montage([image], panel=40))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.full((8, 8, 3), np.nan), "not finite"),
        (np.full((8, 8, 3), 7.0), "reach from 7 to 7"),
        (np.zeros((8, 8), int), "pixels must be uint8"),
        (np.zeros((5, 5, 7)), r"shape \(5, 5, 7\) has no axis of 3 colours"),
        ({"a": 1}, "not dict"),
    ],
)
def test_what_cannot_be_drawn_is_black_and_named(image, reason):
    with pytest.warns(
        GalzooWarning, match=f"1 of 2 images cannot be drawn and are black; image 1: .*{reason}"
    ):
        drawn = montage([flat(0), image], panel=40)
    np.testing.assert_array_equal(drawn, montage([flat(0), None], panel=40))
    with pytest.raises(ValueError, match=f"there is nothing to draw; image 0: .*{reason}"):
        montage([image], panel=40)


def test_whole_numbers_of_16_bits_are_drawn_by_their_range():
    assert (200, 200, 200) in colours_of(montage([np.full((8, 8), 200 * 257, np.uint16)], panel=40))


def test_no_image_is_a_black_panel_that_says_so():
    black, none = (
        np.asarray(montage([flat(0), image], panel=60)) for image in (np.zeros((9, 9), np.uint8), None)
    )
    rows, columns = np.nonzero((black != none).any(-1))
    middle = 16 + 60 + 10 + 30
    assert columns.min() + columns.max() == pytest.approx(2 * middle, abs=4)
    assert rows.min() + rows.max() == pytest.approx(2 * (16 + 30), abs=4)


def test_lead_is_larger_than_two_rows_of_the_others():
    pixels = np.asarray(montage([flat(i) for i in range(5)], columns=2, panel=50, lead=True))
    lead, other = ((pixels == COLOURS[i]).all(-1).sum() for i in (0, 1))
    assert lead > 4 * other


def test_lead_alone_is_drawn():
    assert tuple(COLOURS[0]) in colours_of(montage([flat(0)], panel=40, lead=True))


def test_scale_bar_is_as_long_as_its_angle():
    black = np.zeros((8, 8, 3), np.uint8)
    bare, barred = (np.asarray(montage([black], panel=200, fov=fov)) for fov in (None, 40 * u.arcsec))
    changed = (bare != barred).any(-1)
    bar = changed[changed.any(1)][-1]  # the lowest row that differs
    assert bar.sum() == pytest.approx(200 * 10 / 40, abs=2)


def test_unknown_angle_draws_no_bar():
    black = np.zeros((8, 8, 3), np.uint8)
    bare, unknown = (np.asarray(montage([black], panel=60, fov=fov)) for fov in (None, np.nan * u.arcsec))
    np.testing.assert_array_equal(bare, unknown)


def test_long_labels_stay_inside_their_panel():
    picture = np.asarray(montage([flat(0), flat(1)], ["a name that is much too long " * 4, ""], panel=80))
    gutter = picture[:, 16 + 80 : 16 + 80 + 10]
    assert (gutter == gutter[0, 0]).all()


def test_frames_and_title_are_drawn():
    plain = montage([flat(0)], panel=60)
    framed = montage([flat(0)], panel=60, frames=["#00ffff"], title="Rings")
    assert (0, 255, 255) in colours_of(framed)
    assert framed.size[1] > plain.size[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": []}, "no image was given"),
        ({"images": [flat(0)], "labels": ["a", "b"]}, "2 labels were given for 1 images"),
        ({"images": [flat(0)], "frames": []}, "0 frames were given for 1 images"),
        ({"images": [flat(0)], "fov": [1, 2] * u.deg}, "2 angles were given as fov for 1 images"),
        ({"images": [flat(0)], "north": [1, 2] * u.deg}, "2 angles were given as north for 1 images"),
        ({"images": [flat(0)], "columns": 0}, "columns must be at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        montage(**arguments)


@pytest.mark.parametrize("fov", [30, 30 * u.kg])
@pytest.mark.parametrize("name", ["fov", "north", "east"])
def test_what_is_no_angle_is_refused(name, fov):
    example = r"such as 30 \* u.arcsec" if name == "fov" else r"such as 90 \* u.deg"
    with pytest.raises(TypeError, match=f"{name} must be an angle with its unit, {example}"):
        montage([flat(0)], **({"north": 0 * u.deg} | {name: fov}))


def test_files_become_pictures(tmp_path):
    Image.new("RGB", (80, 60), (0, 200, 0)).save(tmp_path / "green.png")
    (tmp_path / "broken.fits").write_bytes(b"no such layer")
    names = [
        str(tmp_path / "green.png"),
        "",
        None,
        tmp_path / "gone.fits",
        tmp_path / "broken.fits",
        np.ma.masked,
    ]
    green, *others = read_pictures(names, size=32, crop=0.5)
    assert green.shape == (32, 32, 3)
    assert green.dtype == np.uint8
    assert np.abs(green.astype(int) - (0, 200, 0)).max() <= 1
    assert others == [None] * 5


BLACK = np.zeros((8, 8, 3), np.uint8)


def marked_panels(images: list, **marks) -> list[int]:
    """Which panels of a row are drawn into."""
    bare, marked = (np.asarray(montage(images, panel=120, columns=9, **each)) for each in ({}, marks))
    columns = np.flatnonzero((bare != marked).any(axis=(0, 2)))
    return sorted({int((column - 16) // 130) for column in columns})


@pytest.mark.parametrize(
    ("images", "north", "expected"),
    [
        ([BLACK] * 3, 0 * u.deg, [0]),
        ([BLACK] * 3, [360, 0, 0.1] * u.deg, [0]),
        ([BLACK] * 3, [0, 90, 0] * u.deg, [0, 1, 2]),
        ([BLACK] * 3, [np.nan, 0, 0] * u.deg, [1, 2]),
        ([None, BLACK, BLACK], [np.nan, 0, 0] * u.deg, [1]),
        ([None, BLACK, None], 0 * u.deg, [1]),
        ([BLACK] * 2, np.nan * u.deg, []),
    ],
)
def test_arrows_are_drawn_once_where_all_are_the_same(images, north, expected):
    assert marked_panels(images, north=north) == expected


@pytest.mark.parametrize("north", range(0, 360, 45))
@pytest.mark.parametrize("east", [90, -90])
def test_arrows_stay_in_the_corner_whichever_way_they_point(north, east):
    bare = np.asarray(montage([BLACK], panel=160))
    drawn = np.asarray(montage([BLACK], panel=160, north=north * u.deg, east=(north + east) * u.deg))
    rows, columns = np.nonzero((bare != drawn).any(-1))
    assert rows.min() >= 16
    assert rows.max() < 16 + 80
    assert columns.min() >= 16 + 80
    assert columns.max() < 16 + 160


def test_no_bar_or_arrow_is_drawn_where_there_is_no_image():
    assert marked_panels([BLACK, None], fov=30 * u.arcsec) == [0]


def test_what_is_no_square_keeps_its_shape():
    white = np.full((20, 40, 3), 255, np.uint8)
    panel = np.asarray(montage([white], panel=80))[16:96, 16:96]
    assert (panel == 255).all(-1).sum() == 40 * 80
    assert (panel[:20] == 0).all()


def test_all_grows_with_the_panel():
    small, large = (montage([BLACK], ["name\nvalue"], panel=panel, title="One") for panel in (160, 480))
    assert np.array(large.size) == pytest.approx(3 * np.array(small.size), rel=0.03)


def test_a_light_page_is_white_with_black_letters():
    page = np.asarray(montage([BLACK], ["name"], panel=60, light=True))
    assert (page[0, 0] == 255).all()
    assert (page[80:] == 0).any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("score -1.5", "score \u22121.5"),
        ("-.5", "\u2212.5"),
        ("z -", "z \u2013"),
        ("-", "\u2013"),
        ("03h19m41s -19d24m", "03h19m41s \u221219d24m"),
        ("J0959-0157", "J0959-0157"),
        ("1e-7", "1e-7"),
        ("edge-on", "edge-on"),
    ],
)
def test_numbers_have_a_true_minus_and_no_value_is_a_dash(text, expected):
    assert typeset(text) == expected


def test_long_labels_go_on_in_a_second_line():
    one, two = (montage([BLACK], [text], panel=100) for text in ("short", "a longer column 0.123 arcsec"))
    assert two.height > one.height
    assert montage([BLACK], ["word " * 200], panel=100).height == two.height


def test_long_names_keep_their_ends():
    from galzoo_repr.images._lettering import font_of, wrapped

    font = font_of(12)
    (line,) = wrapped(font, "a_survey_of_very_long_names/00017.jpg", 150)
    assert line.startswith("a_survey")
    assert line.endswith("17.jpg")
    assert font.getlength(line) <= 150
    assert wrapped(font, "many words that go on and on", 110)[0].startswith("many words")


def test_letters_that_the_font_lacks_have_plain_ones_instead(monkeypatch):
    from galzoo_repr.images import _lettering

    monkeypatch.setattr(_lettering, "_font_of_matplotlib", lambda: b"")
    _lettering.font_of.cache_clear()
    try:
        font = _lettering.font_of(12)
        assert _lettering.set_in(font, "Fr\u00e8re -1 5\u2033") == 'Frere -1 5"'
    finally:
        _lettering.font_of.cache_clear()
