# Build from the repository's root: make images, or
# docker build -f deploy/images/gateway.Dockerfile -t mouthpiece-gateway:0.1.0 .
# A base without a shell is built on one that has the same Python at the same place:
# --build-arg BASE=gcr.io/distroless/python3-debian12 --build-arg BUILD=debian:bookworm-slim
ARG BASE=python:3.11.14-slim-bookworm
ARG BUILD=${BASE}

FROM ${BUILD} AS build
# Bases without Python get their distribution's. strip takes symbols out of libraries: a quarter of what is installed.
RUN command -v python3 >/dev/null && command -v strip >/dev/null \
 || { apt-get update \
 && apt-get install -y --no-install-recommends binutils $(command -v python3 >/dev/null || echo python3 python3-venv) \
 && rm -rf /var/lib/apt/lists/*; }
# Only the environment that builds has pip.
RUN python3 -m venv --without-pip /opt/mouthpiece && python3 -m venv /opt/build
COPY requirements/build.lock requirements/gateway.lock /src/requirements/
RUN /opt/build/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r /src/requirements/build.lock \
 && /opt/build/bin/pip --python /opt/mouthpiece/bin/python install --no-cache-dir --no-compile --no-deps \
    --only-binary :all: --require-hashes -r /src/requirements/gateway.lock
COPY pyproject.toml README.md LICENSE /src/
COPY mouthpiece /src/mouthpiece
COPY services /src/services
RUN PATH="/opt/build/bin:$PATH" /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels /src \
 && /opt/build/bin/pip --python /opt/mouthpiece/bin/python install --no-cache-dir --no-compile --no-deps /wheels/*.whl \
 && find /opt/mouthpiece -name '*.so*' -type f -exec strip --strip-unneeded {} + \
 && mkdir /empty

FROM ${BASE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mouthpiece-gateway" \
      org.opencontainers.image.description="Takes jobs, schedules chunks, serves the API and the page of Mouthpiece" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/mouthpiece /opt/mouthpiece
# Nothing is written into the image: bytecode neither, which is another quarter and two seconds at the start.
ENV PATH=/opt/mouthpiece/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
    MOUTHPIECE_HOST=0.0.0.0 MOUTHPIECE_DATA=/var/lib/mouthpiece
COPY --from=build --chown=10001:10001 /empty /var/lib/mouthpiece
COPY --from=build --chown=10001:10001 /empty /artifacts
COPY --from=build --chown=10001:10001 /empty /cache
USER 10001:10001
WORKDIR /var/lib/mouthpiece
EXPOSE 50051 8080 9100
ENTRYPOINT ["python", "-m", "services.gateway"]
