# One image for web, worker, beat, migrate and the Chroma server. The offline embedding model is part of it: its
# English half comes with requirements.txt, its German half with the source.

FROM python:3.11-slim-bookworm AS packages
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt .
# Torch alone from its own index, in the build without CUDA: gigabytes less. The version is that of the file.
RUN pip install --no-deps --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' requirements.txt)" \
    && pip install -r requirements.txt

FROM python:3.11-slim-bookworm
# Fixed ids, so that files in volumes keep their owner from one image to the next.
RUN groupadd --system --gid 10001 helpcenter \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /tmp helpcenter \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data /index
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    HF_HOME=/data/models \
    DATA_DIR=/data \
    STATIC_ROOT=/app/static
WORKDIR /app
COPY --from=packages /venv /venv
COPY manage.py LICENSE ./
COPY docker/healthcheck.py docker/
COPY locale locale/
COPY templates templates/
COPY helpcenter helpcenter/
COPY knowledge knowledge/
COPY assistant assistant/
# The key serves this one command and is in force nowhere; without it one would be made and left in the layer.
RUN SECRET_KEY=collectstatic-needs-none DATA_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && rm -r /tmp/build \
    && python -m compileall -q helpcenter knowledge assistant

USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "docker/healthcheck.py", "http://127.0.0.1:8000/livez"]
CMD ["gunicorn", "helpcenter.wsgi:application", "--bind", "0.0.0.0:8000", "--config", "python:helpcenter.gunicorn_hooks", "--worker-class", "gthread", "--threads", "8", "--timeout", "120", "--graceful-timeout", "10", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]
