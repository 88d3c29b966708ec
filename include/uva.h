/**
 * @file
 * All of uva but its optional components.
 */
#ifndef UVA_H
#define UVA_H

#include "uva/alloc.h"
#include "uva/connections.h"
#include "uva/context.h"
#include "uva/coroutines.h"
#include "uva/errors.h"
#include "uva/events.h"
#include "uva/executors.h"
#include "uva/filters.h"
#include "uva/futures.h"
#include "uva/graph.h"
#include "uva/locks.h"
#include "uva/loops.h"
#include "uva/platform.h"
#include "uva/promises.h"
#include "uva/protocols.h"
#include "uva/queues.h"
#include "uva/repr.h"
#include "uva/runners.h"
#include "uva/signals.h"
#include "uva/sockets.h"
#include "uva/stackless.h"
#include "uva/streams.h"
#include "uva/taskgroups.h"
#include "uva/tasks.h"
#include "uva/threads.h"
#include "uva/time.h"
#include "uva/timeouts.h"
#include "uva/transports.h"
#include "uva/typed.h"
#include "uva/types.h"
#include "uva/version.h"
#include "uva/watchdog.h"

#endif /* UVA_H */
