"""``nf images``: a query set as files, for a suspect that has to be asked by other means."""

from pathlib import Path

import click


@click.command()
@click.argument("queries", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
def images(queries: Path, folder: Path) -> None:
    """Write the images of the query set in QUERIES into FOLDER as PNG files.

    Put them to the suspect in whatever way it takes images, and write its answers down as a CSV file: a header line,
    then a line for each image, with its name in the column `image` and beside it the label, as a number, or a column
    for each class in the order of your model's. `nf verify answers.csv` takes it from there.
    """
    from nf.core.queries import QuerySet
    from nf.core.sheets import save_images

    save_images(folder, QuerySet.load(queries).images)
    click.echo(folder)
