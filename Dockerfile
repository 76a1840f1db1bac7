FROM python:3.12-slim AS packages
WORKDIR /site
COPY requirements.lock ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --requirement requirements.lock

FROM python:3.12-slim
RUN useradd --create-home site && install --directory --owner site /files
WORKDIR /site
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 STATIC_ROOT=/site/collected
COPY --from=packages /venv /venv
COPY . .
RUN VAR_DIR=/tmp/build python manage.py collectstatic --noinput && rm -rf /tmp/build
USER site
EXPOSE 8000
CMD ["uvicorn", "config.asgi:application", "--host", "0.0.0.0", "--port", "8000"]
