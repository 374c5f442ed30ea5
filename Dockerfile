# syntax=docker/dockerfile:1
# The node, and `parktwin secrets` before it. Two stages: what builds is not in what runs.
FROM python:3.11-slim-bookworm AS build
# Behind a mirror: docker compose build --build-arg PIP_INDEX_URL=https://... ; the hashes still hold.
ARG PIP_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src

COPY requirements.lock deploy/build.lock ./
RUN python -m venv /opt/parktwin && python -m venv /opt/build \
 && /opt/parktwin/bin/pip install --require-hashes --only-binary :all: -r requirements.lock \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r build.lock

COPY pyproject.toml README.md LICENSE ./
COPY edge edge
COPY ingest ingest
COPY twin twin
COPY api api
COPY dashboards dashboards
COPY parktwin parktwin
RUN /opt/build/bin/hatchling build -t wheel -d /tmp/wheel \
 && /opt/parktwin/bin/pip install --no-index --no-deps /tmp/wheel/*.whl \
 && /opt/parktwin/bin/pip check \
 && /opt/parktwin/bin/pip uninstall --yes pip setuptools


FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="ParkTwin" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 parktwin \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/parktwin --no-create-home \
        --shell /usr/sbin/nologin parktwin \
 && install -d -o parktwin -g parktwin -m 0750 /var/lib/parktwin
COPY --from=build /opt/parktwin /opt/parktwin
ENV PATH=/opt/parktwin/bin:$PATH \
    HOME=/var/lib/parktwin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PARKTWIN_HOME=/var/lib/parktwin \
    PARKTWIN_PARK=/park
USER 10001:10001
WORKDIR /var/lib/parktwin
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["parktwin"]
CMD ["node"]
