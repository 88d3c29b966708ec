/* The same as main.c, in C++17. */
#include <cstdio>

#include <uva.h>

int main()
{
    std::printf("%s %s\n", UVA_VERSION_STRING, uva_version_string());
    return 0;
}
