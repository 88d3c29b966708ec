/* The same as main.c, in C++17. */
#include <cstdio>

#include "twice.h"

static int answer(void *arg, void **)
{
    twice_args_t args = {};

    args.number = 21;
    return twice_await(twice_spawn(args, nullptr), static_cast<int *>(arg));
}

int main()
{
    int number = 0;
    int r = uva_run(answer, &number, nullptr, nullptr);

    std::printf("%s %s %d\n", UVA_VERSION_STRING, uva_version_string(), number);
    return r < 0;
}
