"""What a suspect's own resizing does to the matching rate: ``python -m experiments.resizing --out FOLDER``.

On a whole run of a profile in FOLDER every suspect of the zoo answers the queries as they are, and after what servers
do with an uploaded image: enlarge it by one filter, maybe save it as JPEG, shrink it by another to what their network
takes. Filters are those of Pillow (of area, as OpenCV's ``INTER_AREA``, is ``box``) and torchvision's with and without
antialiasing. The record holds, for each way, how many of 100 answers become others, and the mean matching rate of
thieves and of independent models.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nf.core.threads import configure_math_libraries

configure_math_libraries()

import numpy as np  # noqa: E402 - the environment is read at import
import torch  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from PIL import Image  # noqa: E402
from torchvision.transforms import InterpolationMode  # noqa: E402
from torchvision.transforms.v2 import functional  # noqa: E402

from nf.core.answers import Answers  # noqa: E402
from nf.core.files import write_json  # noqa: E402
from nf.core.queries import QuerySet  # noqa: E402
from nf.stages.provenance import git_commit, machine, versions  # noqa: E402
from nf.stages.run import Run  # noqa: E402
from nf.stages.zoo_suspects import open_zoo_suspect, read_exports_card  # noqa: E402
from nf.suspects import ask  # noqa: E402
from nf.zoo import fingerbench  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
Images = NDArray[np.uint8]
Resize = Callable[[Images, int], Images]
JPEG_QUALITY = 90


def pillow(name: str) -> Resize:
    """(H, W) or (H, W, 3) images to square ones by a filter of Pillow's."""
    return lambda image, side: np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling[name]))


def vision(*, antialias: bool) -> Resize:
    """The same by torchvision's bilinear filter on tensors."""

    def resize(image: Images, side: int) -> Images:
        planes = torch.from_numpy(image.copy()).reshape(*image.shape[:2], -1).permute(2, 0, 1)
        done = functional.resize(planes, [side, side], InterpolationMode.BILINEAR, antialias=antialias)
        return np.asarray(done.permute(1, 2, 0).squeeze(-1))

    return resize


def jpeg(image: Images) -> Images:
    """Saved as JPEG and read again."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(buffer))


def same(image: Images) -> Images:
    """As it is."""
    return image


Way = tuple[str, int, Resize, Callable[[Images], Images], Resize]
WAYS: tuple[Way, ...] = (
    ("Pillow bilinear, both ways", 224, pillow("BILINEAR"), same, pillow("BILINEAR")),
    ("Pillow bicubic, both ways", 224, pillow("BICUBIC"), same, pillow("BICUBIC")),
    ("Pillow Lanczos, then area", 224, pillow("LANCZOS"), same, pillow("BOX")),
    ("nearest, then Pillow bilinear", 224, pillow("NEAREST"), same, pillow("BILINEAR")),
    ("torchvision, antialiased, both ways", 224, vision(antialias=True), same, vision(antialias=True)),
    ("torchvision without antialiasing, both ways", 224, vision(antialias=False), same, vision(antialias=False)),
    ("Pillow bilinear and JPEG", 224, pillow("BILINEAR"), jpeg, pillow("BILINEAR")),
    ("JPEG at its own size", 0, pillow("BILINEAR"), jpeg, pillow("BILINEAR")),
)
"""Name, side between, 0 for the image's own, how it is enlarged, what happens there, how it is shrunk."""


def through(images: Images, way: Way) -> Images:
    """(N, C, H, W) images as a network sees them that gets them by ``way``."""
    _, between, enlarge, meanwhile, shrink = way
    side = images.shape[-1]
    seen = []
    for image in np.moveaxis(images, 1, -1):
        plain = image[..., 0] if image.shape[-1] == 1 else image
        large = enlarge(plain, between) if between else plain
        small = meanwhile(large)
        small = shrink(small, side) if between else small
        seen.append(np.moveaxis(small.reshape(side, side, -1), -1, 0))
    return np.stack(seen)


def main(run: Run, scheme: str, record: Path, note: str) -> None:
    """Ask every suspect of the zoo in every way and write the record."""
    queries = QuerySet.load(run.layout.fingerprint(scheme))
    lineage = fingerbench(run.profile.zoo).asked()
    digests = read_exports_card(run.layout)
    suspects = [spec for spec in lineage.specs if spec.pool == "suspects" and spec.role in ("positive", "negative")]
    plain: dict[str, Answers] = {}
    rows: list[dict[str, Any]] = []
    for way in (None, *WAYS):
        seen = queries.images if way is None else through(queries.images, way)
        rates: dict[str, list[float]] = {"positive": [], "negative": []}
        changed: list[float] = []
        for spec in suspects:
            answers = ask(open_zoo_suspect(run.layout, spec, digests), _with_images(queries, seen))
            plain.setdefault(spec.id, answers)
            changed.append(float((answers.labels != plain[spec.id].labels).mean()))
            rates[spec.role].append(float((answers.labels == queries.labels).mean()))
        means = {role: round(float(np.mean(found)), 4) for role, found in rates.items()}
        rows.append({"way": way[0] if way else "as they are", "changed": round(float(np.mean(changed)), 4), **means})
        print(rows[-1], flush=True)
    facts = {
        "what": "matching rates of a zoo's suspects after what servers do with images",
        "profile": run.profile.name,
        "scheme": scheme,
        "transforms": run.profile.section("schemes", scheme).get("transforms"),
        "image_size": run.profile.data.image_size,
        "queries": len(queries),
        "query_set": queries.digest,
        "suspects": {role: sum(spec.role == role for spec in suspects) for role in ("positive", "negative")},
        "jpeg_quality": JPEG_QUALITY,
        "note": note,
    }
    write_json(
        record, {**facts, "ways": rows, "machine": machine(), "versions": versions(), "commit": git_commit(ROOT)}
    )


def _with_images(queries: QuerySet, images: Images) -> QuerySet:
    return QuerySet(images, queries.labels, queries.negative_labels, queries.card)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Where the run lies.")
    parser.add_argument("--profile", required=True)
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    parser.add_argument("--scheme", default="naturalfinger")
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--note", default="")
    options = parser.parse_args()
    opened = Run.open(options.profile, params=options.params, out=options.out)
    main(opened, options.scheme, options.record, options.note)
