"""The pipeline around ``nf``: Prefect flows over its stages, and MLflow runs that compare them.

``python -m flows reproduce`` runs everything; ``dvc.yaml`` calls ``python -m flows stage NAME``.
"""
