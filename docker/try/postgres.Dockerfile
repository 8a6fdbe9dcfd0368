# PostgreSQL from Debian's packages, for hosts that cannot pull the official image: it understands of that image's
# settings what docker/compose.yaml uses. Only docker/try.py runs it.
ARG BASE_IMAGE=debian:bookworm-slim
FROM ${BASE_IMAGE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/*
COPY docker/try/postgres.sh /usr/local/bin/
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
RUN mkdir -p /var/lib/postgresql/data && chown postgres: /var/lib/postgresql/data
USER postgres
ENTRYPOINT ["postgres.sh"]
