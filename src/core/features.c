/*
 * The features of this build on this machine.
 */
#include "uva/version.h"

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/valgrind.h>
#endif

#include "core/driver.h"
#include "core/driver_uv.h"
#include "stack/stacks.h"
#include "stack/switch.h"

static uva_features_t features;
static uv_once_t features_once = UV_ONCE_INIT;

static void features_look(void)
{
    features.guard = uva__stack_guard_name(uva__stack_guard_probe());
    features.coro_switch = uva__context_backend();
    features.libuv = uva__driver_uv_version();
#if defined(UVA__ASAN)
    features.tools = "asan";
#elif defined(UVA__TSAN)
    features.tools = "tsan";
#elif defined(UVA_HAVE_VALGRIND)
    features.tools = RUNNING_ON_VALGRIND ? "valgrind" : "none";
#else
    features.tools = "none";
#endif
}

const uva_features_t *uva_features(void)
{
    uv_once(&features_once, features_look);
    return &features;
}
