# `nf verify` and nothing else: no torch, no CUDA, no orchestration. docs/docker.md says how to run it without network.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
ARG UV_VERSION=0.13.9
RUN python3 -m venv /opt/tools && /opt/tools/bin/pip install --no-cache-dir "uv==${UV_VERSION}"
COPY requirements-verify.lock /tmp/
RUN --mount=type=cache,target=/root/.cache/uv \
    python3 -m venv --without-pip /opt/venv \
    && UV_LINK_MODE=copy /opt/tools/bin/uv pip install --quiet --python /opt/venv/bin/python --compile-bytecode \
        --require-hashes --requirement /tmp/requirements-verify.lock

FROM ${BASE_IMAGE}
COPY --from=build /opt/venv /opt/venv
COPY nf /app/nf
RUN useradd --uid 10001 --user-group nf && /opt/venv/bin/python -m compileall -q /app/nf
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app
WORKDIR /work
USER nf
# It runs once and ends; what can break is the installation.
HEALTHCHECK CMD ["python", "-c", "import nf.suspects, onnxruntime"]
ENTRYPOINT ["python", "-m", "nf"]
CMD ["verify", "--help"]
