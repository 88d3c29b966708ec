/*
 * Version numbers at run time.
 */
#include "uva/version.h"

unsigned uva_version(void)
{
    return UVA_VERSION_HEX;
}

const char *uva_version_string(void)
{
    return UVA_VERSION_STRING;
}
