"""What a Dask worker loads before its first task: ``dask worker ADDRESS --nthreads 1 --preload flows.worker``."""

from typing import Any

from flows.environment import configure
from nf.core.threads import configure_math_libraries


def dask_setup(worker: Any) -> None:
    """Set what the pipeline's own processes set, and import what the first task would wait ten seconds for."""
    del worker
    configure()
    configure_math_libraries()
    import prefect  # noqa: F401 - read the environment at import

    import nf.stages.bench
    import nf.zoo  # noqa: F401
