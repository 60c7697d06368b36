#!/bin/sh
# Runs Triton Inference Server 2.51 with the models in engine/, on the processor of this machine. The package
# nvidia-pytriton contains the server, so that neither a container nor a graphics card is needed.
#
#   python3 -m venv examples/remote/.venv
#   examples/remote/.venv/bin/pip install --no-deps -r examples/remote/requirements.txt
#   examples/remote/triton.sh [OPTION_OF_TRITONSERVER ...]
#
# TRITON_VENV is another virtual environment with these packages, TRITON_MODELS another folder of models.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=${TRITON_VENV:-$here/.venv}
find_packages='import sysconfig; print(sysconfig.get_path("purelib"))'
packages=$("$venv/bin/python" -c "$find_packages")
version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
triton=$packages/pytriton/tritonserver
stub=$triton/python_backend_stubs/$version/triton_python_backend_stub
if [ ! -e "$stub" ]; then
  echo "$venv: Triton is not installed in it, or has no models in Python $version" >&2
  exit 1
fi

# Models in Python need the program of this version of Python beside the library that starts it.
backend=$venv/backends/python
mkdir -p "$backend"
ln -sf "$triton"/backends/python/*.so "$triton"/backends/python/*.py "$stub" "$backend"
chmod +x "$stub"

export LD_LIBRARY_PATH="$packages/nvidia_pytriton.libs"
export PATH="$venv/bin:$PATH" PYTHONPATH="$packages"
exec "$triton/bin/tritonserver" --model-repository="${TRITON_MODELS:-$here/engine}" --backend-directory="$venv/backends" \
  --http-address=127.0.0.1 --grpc-address=127.0.0.1 --allow-metrics=false "$@"
