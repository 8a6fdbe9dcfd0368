"""``nf images``: a query set as files, for a suspect that has to be asked by other means."""

from pathlib import Path

import click


@click.command()
@click.argument("queries", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--sheet", is_flag=True, help="Also write sheet.html, a page to note the answers on and save them as CSV."
)
@click.option(
    "--controls",
    type=click.IntRange(0),
    default=16,
    show_default=True,
    help="Control images among them, where the set has some: they show whether the answers are what you take them for.",
)
def images(queries: Path, folder: Path, sheet: bool, controls: int) -> None:
    """Write the images of the query set in QUERIES into FOLDER as PNG files.

    Put them to the suspect in whatever way it takes images, and write its answers down as a CSV file: a line for each
    image, with its name and beside it the label, by number or name, or labels with their scores, or a column for each
    class. `nf verify answers.csv` takes it from there.
    """
    from nf.core.queries import QuerySet
    from nf.core.sheets import save_images
    from nf.suspects import images_to_ask, write_labelling_page

    loaded = QuerySet.load(queries)
    asked = images_to_ask(loaded, controls)
    save_images(folder, asked)
    if sheet:
        names = loaded.controls.class_names if loaded.controls else ()
        count = int(loaded.card.get("num_classes") or max(loaded.labels.max(), loaded.negative_labels.max()) + 1)
        write_labelling_page(folder / "sheet.html", asked, count, names if len(names) == count else (), loaded.digest)
    click.echo(folder)
