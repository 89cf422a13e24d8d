# CPU only: docker build -t mmpretrain-inception . && docker run --rm -it --shm-size 1g mmpretrain-inception bash
FROM python:3.12-slim
WORKDIR /app
RUN pip install --no-cache-dir torch torchvision --index-url https://download.pytorch.org/whl/cpu
COPY . .
# mmcv requires opencv-python, which needs libraries of a display; opencv-python-headless has the same modules without.
RUN pip install --no-cache-dir --editable . \
    && pip uninstall --yes opencv-python \
    && pip install --no-cache-dir opencv-python-headless
CMD ["python", "-m", "mmpretrain_inception.doctor"]
