#!/bin/sh
# Turns a minimal Debian into a python:3.11-slim: Python in /usr/local, pip, the machine's trust.
#   $1            the image's root folder
#   LAB_UNPACKED  the packages of image.toml's `unpack`, unpacked
#   LAB_TRUST     certificates, pip.conf and apt.conf that the machine uses itself
set -eu
root=$1
here=$(dirname "$0")
python=$root/usr/local/bin/python3.11
lib=$root/usr/local/lib/python3.11

# Python finds its library from where it stands, so moving both moves the prefix to /usr/local.
cp "$LAB_UNPACKED/usr/bin/python3.11" "$python"
ln -s python3.11 "$root/usr/local/bin/python3"
ln -s python3 "$root/usr/local/bin/python"
mkdir -p "$lib/site-packages"
cp -r "$LAB_UNPACKED/usr/lib/python3.11/." "$lib/"
cp -r "$LAB_UNPACKED/usr/share/python-wheels" "$root/usr/share/"

# Debian's own ways, which the real image doesn't have: PEP 668's refusal, another install layout.
rm -f "$lib/EXTERNALLY-MANAGED" "$lib/sitecustomize.py" "$lib/_distutils_system_mod.py"
cp "$here/sitecustomize.py" "$lib/"
sed -i "s/prefix_scheme = 'posix_local'/prefix_scheme = 'posix_prefix'/" "$lib/sysconfig.py"

# As in the real image: no tests, no compiled files.
find "$lib" -depth -type d \( -name test -o -name tests -o -name __pycache__ \) -exec rm -r {} +

chroot "$root" /usr/local/bin/python3.11 -B - <<'PYTHON'
import glob, runpy, sys
wheels = sorted(glob.glob("/usr/share/python-wheels/*.whl"))
pip = next(wheel for wheel in wheels if "/pip-" in wheel)
sys.path.insert(0, pip)
sys.argv = ["pip", "install", "--no-index", "--no-compile", "--no-cache-dir",
            "--disable-pip-version-check", "--root-user-action=ignore", "--quiet", *wheels]
runpy.run_module("pip", run_name="__main__")
PYTHON

# The machine's certificates, package index and apt settings, so that a build works behind
# whatever the machine works behind.
if ls "$LAB_TRUST"/ca/*.crt >/dev/null 2>&1; then
    cp "$LAB_TRUST"/ca/*.crt "$root/usr/local/share/ca-certificates/"
    chroot "$root" update-ca-certificates >/dev/null
fi
for file in pip.conf apt/apt.conf.d/90machine; do
    if [ -s "$LAB_TRUST/$file" ]; then cp "$LAB_TRUST/$file" "$root/etc/$file"; fi
done

# What Debian's own container images set: no package cache, no translations, small lists,
# no service started by an installation.
cat > "$root/etc/apt/apt.conf.d/docker-clean" <<'APT'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT
echo 'Acquire::Languages "none";' > "$root/etc/apt/apt.conf.d/docker-no-languages"
echo 'Acquire::GzipIndexes "true";' > "$root/etc/apt/apt.conf.d/docker-gzip-indexes"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

rm -rf "$root"/var/log/* "$root"/var/cache/ldconfig/* "$root"/var/cache/debconf/*-old \
    "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb \
    "$root"/var/lib/apt/lists/*_* "$root"/root/.cache "$root"/tmp/*

# A stand-in that is wrong must not be made at all.
chroot "$root" /usr/local/bin/python3 -B - <<'PYTHON'
import bz2, ctypes, lzma, readline, site, sqlite3, ssl, sys, sysconfig, uuid, zlib  # noqa: F401
expected = "/usr/local/lib/python3.11/site-packages"
assert sys.prefix == "/usr/local", sys.prefix
assert sysconfig.get_path("purelib") == expected, sysconfig.get_path("purelib")
assert site.getsitepackages() == [expected], site.getsitepackages()
import pip
assert pip.__file__.startswith(expected), pip.__file__
PYTHON
