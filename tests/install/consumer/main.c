/* Prints the version it was compiled with and the version it runs with. */
#include <stdio.h>

#include <uva.h>

int main(void)
{
    printf("%s %s\n", UVA_VERSION_STRING, uva_version_string());
    return 0;
}
