#include "twice.h"

UVA_TASK_DEFINE(twice)
{
    *ret = args->number * 2;
    return uva_sleep(UVA_MS(1));
}
