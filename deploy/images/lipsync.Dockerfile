# Build from the repository's root: make images, or
# docker build -f deploy/images/lipsync.Dockerfile -t mouthpiece-lipsync:0.1.0 .
# On GPUs: --build-arg BASE=nvidia/cuda:12.8.1-base-ubuntu24.04 --build-arg TORCH=1
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS build
# Bases without Python, such as CUDA's, get their distribution's.
RUN command -v python3 >/dev/null \
 || { apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*; }
RUN python3 -m venv /opt/mouthpiece && python3 -m venv /opt/build
COPY requirements/build.lock requirements/lipsync.lock /src/requirements/
RUN /opt/build/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r /src/requirements/build.lock \
 && /opt/mouthpiece/bin/pip install --no-cache-dir --only-binary :all: --no-deps --require-hashes \
    -r /src/requirements/lipsync.lock
# PyTorch, for Wav2Lip on a GPU; its wheel brings its own CUDA libraries.
ARG TORCH=
COPY requirements/torch.txt /src/requirements/
RUN [ -z "$TORCH" ] || /opt/mouthpiece/bin/pip install --no-cache-dir --only-binary :all: \
    -r /src/requirements/torch.txt
COPY pyproject.toml README.md LICENSE /src/
COPY mouthpiece /src/mouthpiece
COPY services /src/services
COPY scripts/fetch_face_models.py /src/scripts/
RUN PATH="/opt/build/bin:$PATH" /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels /src \
 && /opt/mouthpiece/bin/pip install --no-cache-dir --no-deps /wheels/*.whl \
 && PYTHONPATH=/src /opt/mouthpiece/bin/python /src/scripts/fetch_face_models.py \
    /opt/mouthpiece/share/mouthpiece/models \
 && rm -rf /opt/mouthpiece/lib/python3*/site-packages/pip* /opt/mouthpiece/lib/python3*/site-packages/setuptools* \
    /opt/mouthpiece/bin/pip*

FROM ${BASE}
# Bases without Python, such as CUDA's, get their distribution's.
RUN command -v python3 >/dev/null \
 || { apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*; }
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mouthpiece-lipsync" \
      org.opencontainers.image.description="Renders chunks of a Mouthpiece video on one device" \
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
EXPOSE 50060 9110
ENTRYPOINT ["python", "-m", "services.lipsync"]
