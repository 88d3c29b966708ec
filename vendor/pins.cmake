# What is built when the system has no libuv or no Check. VENDOR.md says how
# each checksum was obtained.

set(UVA_PIN_libuv_VERSION 1.50.0)
set(UVA_PIN_libuv_URL "https://github.com/libuv/libuv/archive/refs/tags/v1.50.0.tar.gz")
set(UVA_PIN_libuv_SHA256 b1ec56444ee3f1e10c8bd3eed16ba47016ed0b94fe42137435aaf2e0bd574579)
set(UVA_PIN_libuv_LICENSE "MIT")

set(UVA_PIN_check_VERSION 0.15.2)
set(UVA_PIN_check_URL "https://github.com/libcheck/check/archive/refs/tags/0.15.2.tar.gz")
set(UVA_PIN_check_SHA256 998d355294bb94072f40584272cf4424571c396c631620ce463f6ea97aa67d2e)
set(UVA_PIN_check_LICENSE "LGPL-2.1-or-later")
