# Build from the repository's root: make images, or
# docker build -f deploy/images/merger.Dockerfile -t mouthpiece-merger:0.1.0 .
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS build
# Only the environment that builds has pip.
RUN python3 -m venv --without-pip /opt/mouthpiece && python3 -m venv /opt/build
COPY requirements/build.lock requirements/merger.lock /src/requirements/
RUN /opt/build/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r /src/requirements/build.lock \
 && /opt/build/bin/pip --python /opt/mouthpiece/bin/python install --no-cache-dir --no-deps \
    --only-binary :all: --require-hashes -r /src/requirements/merger.lock
COPY pyproject.toml README.md LICENSE /src/
COPY mouthpiece /src/mouthpiece
COPY services /src/services
RUN PATH="/opt/build/bin:$PATH" /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels /src \
 && /opt/build/bin/pip --python /opt/mouthpiece/bin/python install --no-cache-dir --no-deps /wheels/*.whl \
 && rm /opt/mouthpiece/lib/python3*/site-packages/c2pa/libs/*.rlib  # for linking with Rust: a tenth of the image

FROM ${BASE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mouthpiece-merger" \
      org.opencontainers.image.description="Joins the chunks of a Mouthpiece video" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-2.0-or-later"
COPY --from=build /opt/mouthpiece /opt/mouthpiece
# Nothing is written into the image: bytecode neither.
ENV PATH=/opt/mouthpiece/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
    MOUTHPIECE_HOST=0.0.0.0 MOUTHPIECE_DATA=/var/lib/mouthpiece
RUN mkdir -p /var/lib/mouthpiece /artifacts /cache && chown 10001:10001 /var/lib/mouthpiece /artifacts /cache
USER 10001:10001
WORKDIR /var/lib/mouthpiece
EXPOSE 50053 9102
ENTRYPOINT ["python", "-m", "services.merger"]
