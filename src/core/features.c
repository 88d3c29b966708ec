/*
 * The features of this build on this machine, for uva_features.
 *
 * Invariant: they are found out once, by the thread that asks first, and never
 * change; so they are read without a lock.
 */
#include "uva/version.h"

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/valgrind.h>
#endif

#include "core/driver_uv.h"
#include "stack/stacks.h"
#include "stack/switch.h"

static uva_features_t features;
static uv_once_t features_once = UV_ONCE_INIT;

/* Called once. Which guard stacks can have is found by a trial. */
static void features_probe(void)
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
    uv_once(&features_once, features_probe);
    return &features;
}
