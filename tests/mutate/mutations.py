"""What mutate.py breaks: (file, text, replacement, why it is wrong).

The text stands in the file exactly once; white space does not count. Each
mutation is a mistake that a hand could make there, and changes what a caller
can see.
"""
MUTATIONS = [
    # --- tasks ---
    ("src/core/tasks.c",
     "    if ((task->base.flags & UVA__MUST_CANCEL) != 0 && r >= 0) {",
     "    if (false && r >= 0) {",
     "a task cancelled right before it returns ends as if it was not"),
    ("src/core/tasks.c",
     "        coro->drop((void *)(uintptr_t)args);\n"
     "    }\n"
     "    return refused == NULL",
     "        (void)args;\n"
     "    }\n"
     "    return refused == NULL",
     "a refused spawn leaks its arguments"),
    ("src/core/tasks.c",
     "        task->coro->drop(uva__task_frame(task));",
     "        if (r >= 0) {\n"
     "            task->coro->drop(uva__task_frame(task));\n"
     "        }",
     "the arguments of a task that failed are never dropped"),
    ("src/core/tasks.c",
     "               ((options != NULL && options->eager_start) ||",
     "               ((options != NULL && false) ||",
     "eager_start is ignored"),
    ("src/core/tasks.c",
     "    } else if (uva__context_copy_current(&context) < 0) {\n"
     "        return UV_ENOMEM;\n"
     "    }",
     "    }",
     "a task does not inherit its maker's context"),
    ("src/core/tasks.c",
     "    if (loop->task_count >= loop->limits.max_tasks) {",
     "    if (loop->task_count > loop->limits.max_tasks) {",
     "one task more than the limit"),
    ("src/core/tasks.c",
     "        task_want_stack(task, options->stack_bytes);",
     "        task_want_stack(task, coro == &uva__plain_coro\n"
     "                                  ? options->stack_bytes : 0);",
     "a typed task gets the default stack"),
    ("src/core/tasks.c",
     "    while (log2 < 31 && (size_t)1 << log2 < bytes) {",
     "    while (log2 < 30 && (size_t)1 << log2 < bytes) {",
     "a stack beyond the largest is the largest"),
    ("src/core/tasks.c",
     "    return uva__task_new(loop == NULL ? uva__running() : loop, coro, args,\n"
     "                         options, here);",
     "    return uva__task_new(uva__running, coro, args, options, here);",
     "a typed task is spawned on the running loop whichever is given"),
    ("src/core/tasks.c",
     "    if (uva_error_code(error) != r) {",
     "    if (false) {",
     "a task keeps the record of another failure than its own"),
    # --- cancelling ---
    ("src/core/cancel.c",
     "        walk->asker = task;\n"
     "        walk->future = task->waiter.future;\n"
     "        return ANSWER_ASK;",
     "        return ANSWER_YES;",
     "a cancel does not walk on to what the task awaits"),
    ("src/core/cancel.c",
     "--task->base.cancelling == 0 &&\n"
     "               task->base.phase != UVA__PHASE_TORN &&\n"
     "               task->base.phase != UVA__PHASE_CANCELLED) {",
     "--task->base.cancelling == 0 && false) {",
     "uncancel to zero leaves the cancellation to come"),
    ("src/core/cancel.c",
     "        task_set_words(task, walk->words);",
     "        (void)walk;",
     "the message of a cancel is lost where a waiter is cancelled"),
    ("src/core/cancel.c",
     "        task->ready.run = uva__task_resume_cancelled;\n"
     "    }\n"
     "    task_set_words(task, words);",
     "        task->ready.run = uva__task_resume_cancelled;\n"
     "    }\n"
     "    (void)words;",
     "the message of a cancel before the first step is lost"),
    ("src/core/cancel.c",
     "    if (UVA__LIKELY(task->base.cancelling < UINT16_MAX)) {",
     "    if (task->base.cancelling < 1) {",
     "a second cancel is not counted"),
    ("src/core/cancel.c",
     "                task_leave_ring(walk->asker, walk->words);",
     "                (void)task_leave_ring;",
     "tasks that await each other in a ring cannot be cancelled"),
    ("src/core/cancel.c",
     "                task_must_cancel(walk->asker, walk->words);",
     "                (void)task_must_cancel;",
     "a task that awaits what is done already swallows its cancel"),
    ("src/core/cancel.c",
     "            walk_leave(walk->start);",
     "            (void)walk_leave;",
     "a second cancel takes the way of the first for a ring"),
    ("src/core/cancel.c",
     "    if (future->state != UVA__FUTURE_PENDING) {\n"
     "        future->flags |= UVA__RETRIEVED;",
     "    if (future->state != UVA__FUTURE_PENDING) {",
     "a cancel of a failed future does not count as seen"),
    ("src/core/cancel.c",
     "                extra->error = uva_error_ref(walk->words);",
     "                (void)walk;",
     "a cancelled future loses the message"),
    ("src/core/cancel.c",
     "            gather->cancel_requested = true;",
     "            (void)gather;",
     "a cancelled gather that returns exceptions ends as if it was not"),
    ("src/core/cancel.c",
     "        if (gather->asks.next < gather->count) {",
     "        if (gather->asks.next < 1) {",
     "a cancelled gather cancels its first child alone"),
    ("src/core/cancel.c",
     "--task->base.cancelling == 0 &&\n"
     "               task->base.phase != UVA__PHASE_TORN &&\n"
     "               task->base.phase != UVA__PHASE_CANCELLED) {",
     "--task->base.cancelling == 0 &&\n"
     "               task->base.phase != UVA__PHASE_CANCELLED) {",
     "a task that has left its ring wakes up without a result"),
    ("src/core/cancel.c",
     " &&\n"
     "               task->base.phase != UVA__PHASE_CANCELLED) {",
     ") {",
     "a request that is taken back loses its words"),
    ("src/core/cancel.c",
     "    uva__future_ref(future);\n"
     "    asked = walk_run(&walk) != ANSWER_NO;\n"
     "    uva__future_unref(future);",
     "    asked = walk_run(&walk) != ANSWER_NO;",
     "a future is gone while it is cancelled after its loop"),
    ("src/core/scopes.c",
     "    if (ended && !scope_is_in_frame(entry)) {",
     "    if (false) {",
     "the entry of a scope is gone when its task has ended"),
    ("src/core/cancel.c",
     "        if (answer != ANSWER_RING) {",
     "        if (true) {",
     "a ring below a gather takes the marks of the whole way"),
    ("src/core/graph.c",
     "                               pending && task->base.cancelling > 0",
     "                               pending && false",
     "a dump does not tell that a task was asked to end"),
    ("src/core/tasks.c",
     "    if (uva__here == loop && !loop->starts_late &&",
     "    if (!loop->starts_late &&",
     "a task starts eagerly on a loop that does not run"),
    ("src/core/step.c",
     "    loop->coroutine = NULL; /* The task is no part of it. */",
     "    (void)loop;",
     "a task that starts eagerly inside a coroutine yields for it"),
    ("src/core/generators.c",
     "    } else if (body == NULL ||",
     "    } else if (",
     "a coroutine without a body is made"),
    # --- steps ---
    ("src/core/step.c",
     "    if (uva_waiter_finish(&task->waiter) >= 0) {\n"
     "        return false;",
     "    if (uva_waiter_finish(&task->waiter) >= -1000) {\n"
     "        return false;",
     "the body of a task cancelled before its first step runs"),
    ("src/core/step.c",
     "    if (task->base.phase == UVA__PHASE_IDLE && *place >= UVA__AT_YIELD) {",
     "    if (false && *place >= UVA__AT_YIELD) {",
     "a stackless task is not cancelled in a yield"),
    ("src/core/turn.c",
     "            } else {\n"
     "                loop->current = NULL;\n",
     "            } else {\n",
     "a callback after a stackless step believes to be in its task"),
    ("src/core/loop.c",
     "            loop->budget = 0; /* No further iteration begins. */",
     "            loop->budget -= 0;",
     "a stop lets further iterations begin"),
    ("src/core/turn.c",
     "    loop->inbox_woken = loop->inbox_woken || loop->interrupted ||\n"
     "                        atomic_load_explicit(&loop->inbox,\n"
     "                                             memory_order_relaxed) != NULL;\n",
     "",
     "a busy loop hears other threads only when it polls"),
    ("src/core/loop.c",
     "    loop->alone = false;\n",
     "",
     "a loop that was asked for is not polled while it is busy"),
    ("src/core/turn.c",
     "(loop->has_io && !loop->has_late)",
     "loop->has_io",
     "sockets that are late wait for another poll"),
    ("src/io/stream_transport.c",
     "            io->send.next = io->loop->batch;\n"
     "            io->loop->batch = &io->send;\n",
     "            uva__loop_push(io->loop, &io->send);\n",
     "what a task has written waits for tasks that are ready"),
    ("src/io/stream_transport.c",
     "        io->portion_bytes = 0;\n"
     "    }\n"
     "}\n",
     "    }\n"
     "}\n",
     "small requests of many turns fill a portion"),
    ("src/io/stream_read.c",
     "        io->loop->has_late = false;\n",
     "",
     "sockets are late for ever"),
    ("src/core/turn.c",
     "    loop->looked_budget += more;\n"
     "    if (loop->inbox_woken) {\n"
     "        loop_take_calls(loop);\n"
     "    }\n",
     "    loop->looked_budget += more;\n",
     "a look without the clock does not take calls"),
    ("src/core/turn.c",
     "    loop->looked_budget += more;\n",
     "",
     "what looks without the clock allow is not counted"),
    # --- waiters ---
    ("src/core/waiters.c",
     "        *owner = task->base.loop;",
     "        (void)owner;",
     "the first wait binds no primitive to its loop"),
    ("src/core/waiters.c",
     "    if (UVA__UNLIKELY(future == &task->base)) {\n"
     "        return uva__bare(UV_EPERM);\n"
     "    }\n"
     "    if (UVA__UNLIKELY(uva__future_append_node",
     "    if (UVA__UNLIKELY(uva__future_append_node",
     "a task may await itself"),
    ("src/core/waiters.c",
     "                       future != &task->base);",
     "                       true);",
     "a task may join itself, the short way"),
    ("src/core/waiters.c",
     "                       future != NULL && future->loop == task->base.loop &&",
     "                       future != NULL &&",
     "a task joins one of another loop, the short way"),
    ("src/core/waiters.c",
     "(task->base.flags & due) == 0 &&",
     "(due != 0 || true) &&",
     "a join does not ask what is due to its task"),
    ("src/core/waiters.c",
     "                      (future->flags & (UVA__MOVED | UVA__KEEPS)) != 0 ||",
     "                      (future->flags & UVA__KEEPS) != 0 ||",
     "a result can be taken twice, the short way"),
    ("src/core/waiters.c",
     "                      (future->flags & (UVA__MOVED | UVA__KEEPS)) != 0 ||",
     "                      (future->flags & UVA__MOVED) != 0 ||",
     "what a task kept is lost when it is joined"),
    ("src/core/waiters.c",
     "                      (ret != NULL && size != sizeof(int)) ||",
     "                      false ||",
     "every result has the size of an int"),
    ("src/core/waiters.c",
     "        if (UVA__UNLIKELY((task->base.flags & UVA__MUST_CANCEL) != 0)) {\n"
     "            return join_end(task, take_task, ret, ret_bytes);\n"
     "        }\n",
     "",
     "a join that was cancelled after its wake-up ends well"),
    ("src/combine/taskgroups.c",
     "    task->base.flags |= UVA__HELD;",
     "    (void)task;",
     "a child begins before its turn"),
    ("src/combine/taskgroups.c",
     "    } else if (group == NULL || group->aborting) {",
     "    } else if (group == NULL) {",
     "a child that has ended its group by its first step goes on"),
    ("src/combine/taskgroups.c",
     "    birth->loop->starts_late = birth->starts_late;",
     "    (void)birth;",
     "no task starts eagerly after a child that has to wait"),
    ("src/core/extra.c",
     "        future->flags |= UVA__KEEPS;",
     "        (void)0;",
     "what few tasks have is lost at their end"),
    ("src/core/generators.c",
     "    uva__task_prepare_stack(stack);",
     "    stack->context.sp = NULL;",
     "the stack of a coroutine is no use to a task"),
    ("src/core/loop.c",
     "(int32_t)iterations * (UVA__ITERATION_STEPS + 1)",
     "(int32_t)iterations * (UVA__ITERATION_STEPS + 2)",
     "more iterations pass in a turn than were asked for"),
    ("src/core/waiters.c",
     "        uva__task_cancel_await(task);",
     "",
     "a cancel that is due does not reach the future that is awaited"),
    ("src/core/waiters.c",
     "        uva__future_code(future) == UV_ECANCELED) {",
     "        future->code == UV_ECANCELED) {",
     "a failure that a cancelled await saw is reported as never retrieved"),
    ("src/core/waiters.h",
     "    bool cancelled = task->base.phase == UVA__PHASE_CANCELLED ||\n"
     "                     (task->base.flags & UVA__MUST_CANCEL) != 0;",
     "    bool cancelled = task->base.phase == UVA__PHASE_CANCELLED;",
     "a cancel after the wake-up is not told by the wait"),
    ("src/core/waiters.h",
     "        task->base.flags &= (uint16_t)~UVA__MUST_CANCEL;\n"
     "        task->base.phase = UVA__PHASE_CANCELLED;",
     "        task->base.phase = UVA__PHASE_WOKEN;",
     "a wait that begins when a cancel is due counts as woken"),
    ("src/core/waiters.c",
     "        if (!uva__loop_owned_for(uva__task_of_waiter(waiter)->base.loop,\n"
     "                                 \"uva_waiter_wake_first\")) {\n"
     "            return false; /* It waits on. */\n"
     "        }",
     "        (void)0;",
     "who is to be woken from another thread loses its place"),
    ("src/core/waiters.c",
     "        woken = uva__waiter_wake(waiter);\n"
     "        uva__list_remove(&waiter->link);",
     "        woken = uva__waiter_wake(waiter);",
     "a list of waiters is passed again and again"),
    ("src/core/waiters.h",
     "    if (UVA__UNLIKELY(task->base.phase != UVA__PHASE_WOKEN ||\n"
     "                      (task->base.flags & UVA__MUST_CANCEL) != 0)) {",
     "    if (UVA__UNLIKELY(task->base.phase != UVA__PHASE_WOKEN)) {",
     "a cancel after the wake-up is not told by a queue"),
    ("src/core/waiters.h",
     "    if (UVA__UNLIKELY(*owner != task->base.loop ||\n"
     "                      (task->base.flags & UVA__MUST_CANCEL) != 0)) {",
     "    if (UVA__UNLIKELY(*owner != task->base.loop)) {",
     "a cancel that is due before a wait does not end it"),
    # --- sleep ---
    ("src/combine/sleep.c",
     "        uva__timer_stop(task->base.loop, &op->timer);",
     "        (void)op;",
     "the timer of a cancelled sleep goes on"),
    ("src/combine/sleep.c",
     "    task->base.phase = UVA__PHASE_IDLE;\n"
     "    if (UVA__UNLIKELY((task->base.flags & UVA__MUST_CANCEL) != 0)) {",
     "    task->base.phase = UVA__PHASE_IDLE;\n"
     "    if (UVA__UNLIKELY(false)) {",
     "a polled sleep(0) does not tell a cancel"),
    ("src/core/step.c",
     "        code = UV_ECANCELED;",
     "        code = 0;",
     "sleep(0) does not tell a cancel"),
    ("src/core/step.c",
     "    if (task->base.phase == UVA__PHASE_IDLE &&\n"
     "        (task->base.flags & UVA__MUST_CANCEL) != 0) {",
     "    if ((task->base.flags & UVA__MUST_CANCEL) != 0) {",
     "a cancellation that an await is to tell is taken by its wake-up"),
    ("src/core/step.c",
     "        (task->base.flags & UVA__MUST_CANCEL) != 0) {\n"
     "        uva__task_deliver_cancel(task);\n"
     "        code",
     "        true) {\n"
     "        uva__task_deliver_cancel(task);\n"
     "        code",
     "a cancellation that was taken back ends a sleep(0)"),
    ("src/combine/sleep.c",
     "        return uva__task_yield_watched(loop, task);",
     "        return uva__task_yield(loop, task);",
     "a lost scope is not looked for in a yield"),
    ("src/core/scopes.c",
     "    if (task->extra->scopes == NULL && !task->base.loop->stacks.checks) {",
     "    if (!task->base.loop->stacks.checks) {",
     "an inner scope that ends hides the outer one"),
    # --- futures ---
    ("src/core/futures.h",
     "    last->next = ready;\n"
     "    future->callbacks = ready;",
     "    last->next = ready;",
     "callbacks run in another order than they were added"),
    ("src/core/futures.c",
     "    if (future->code < 0 && future->kind != UVA__KIND_REFUSED) {\n"
     "        future->flags |= UVA__RETRIEVED;",
     "    if (future->code < 0 && future->kind != UVA__KIND_REFUSED) {\n"
     "        future->flags |= 0;",
     "a failure that was asked for is reported as never retrieved"),
    ("src/core/futures.c",
     "            } else if (node == last) {\n"
     "                future->callbacks = before;\n"
     "            }",
     "            }",
     "removing the last callback leaves it the last"),
    ("src/core/futures.c",
     "        if (node->run == uva__callback_run && record->callback == callback &&\n"
     "            record->data == data) {",
     "        if (node->run == uva__callback_run && record->callback == callback) {",
     "a callback is removed with another's data"),
    ("src/core/futures.c",
     "    if (ret == NULL || size == 0) {\n"
     "        return r;\n"
     "    }\n"
     "    future->flags |= UVA__MOVED;",
     "    if (ret == NULL || size == 0) {\n"
     "        return r;\n"
     "    }",
     "a result can be moved out twice"),
    ("src/core/futures.c",
     "    if (!uva__code_fails(code)) {\n"
     "        return uva__bare(UV_EINVAL);\n"
     "    }\n"
     "    if (text != NULL) {",
     "    if (text != NULL) {",
     "set_exception takes a success"),
    ("src/core/futures.c",
     "    if (r < 0) {\n"
     "        if (destroy != NULL) {\n"
     "            destroy(result);\n"
     "        }\n"
     "        return uva__bare(r);",
     "    if (r < 0) {\n"
     "        return uva__bare(r);",
     "a result that is refused leaks"),
    ("src/core/futures.c",
     "    uva_context_t *outer = uva__context_enter(callback->context);",
     "    uva_context_t *outer = uva__context_enter(NULL);",
     "a done callback runs without its context"),
    ("src/core/futures.c",
     "        if (task != NULL) {\n"
     "            uva__task_note_failure(task, future, r);",
     "        if (false) {\n"
     "            uva__task_note_failure(task, future, r);",
     "what a failure said is lost where it is looked at and not awaited"),
    ("src/core/futures.c",
     "    if (loop->freeing) {\n"
     "        return;\n"
     "    }\n"
     "    loop->freeing = true;",
     "    loop->freeing = true;",
     "a chain of gathers is freed by recursion"),
    # --- gather ---
    ("src/combine/gather.c",
     "    if (!uva__future_pending(future)) {\n"
     "        return 0;\n"
     "    }\n"
     "    outer = ",
     "    outer = ",
     "a done child whose gather was not told yet makes room"),
    ("src/combine/gather.c",
     "        child->callbacks = NULL;\n"
     "        return true;",
     "        return true;",
     "a gather without memory stays with the tasks it had"),
    ("src/combine/gather.c",
     "            (void)uva__future_remove_node(child, ready);\n",
     "",
     "the end of a loop frees nodes among the callbacks of futures"),
    ("src/combine/gather.c",
     "            gather_release(&gather->bond);\n"
     "            return UV_ENOMEM;",
     "            return UV_ENOMEM;",
     "a gather that lacks a node does not let the others go"),
    ("src/combine/gather.c",
     "    if (UVA__LIKELY(child->kind == UVA__KIND_TASK &&\n"
     "                    child->callbacks == NULL)) {",
     "    if (UVA__LIKELY(child->kind == UVA__KIND_TASK)) {",
     "who waited for a task is forgotten when it is gathered"),
    ("src/core/futures.c",
     "        r = uva__future_make_room(futures[i]);",
     "        (void)futures[i];",
     "a wait for a gathered task without memory for a node never ends"),
    ("src/core/futures.c",
     "        r = uva__future_make_room(future);",
     "        (void)future;",
     "a callback of a gathered task without memory is lost"),
    ("src/core/futures.c",
     "        future->callbacks == NULL || uva__future_gatherer(future) != NULL) {",
     "        future->callbacks == NULL) {",
     "to remove a callback takes a gathering future for one"),
    ("src/combine/shield.c",
     "    if (uva__future_make_room(future) < 0) {\n"
     "        return NULL;\n"
     "    }\n",
     "",
     "a shield of a gathered task without memory is never told"),
    ("src/combine/taskgroups.c",
     "    task = uva__task_admit(task);\n",
     "",
     "a group without memory is not told of a child that was gathered"),
    ("src/io/server.c",
     "uva__task_admit(take_task)",
     "take_task",
     "a server without memory is not told of a handler that was gathered"),
    ("src/core/waiters.c",
     "    if (UVA__UNLIKELY(uva__future_append_node(future, &task->ready) < 0)) {\n"
     "        return uva__bare(UV_ENOMEM);\n"
     "    }\n",
     "    (void)uva__future_append_node(future, &task->ready);\n",
     "an await of a gathered task without memory never ends"),
    ("src/core/waiters.c",
     "        if (UVA__UNLIKELY(take_task->callbacks != NULL)) {\n"
     "            return join_drive",
     "        if (false) {\n"
     "            return join_drive",
     "a typed await forgets who else waits"),
    ("src/core/waiters.c",
     "        if (UVA__UNLIKELY(take_task->callbacks != NULL)) {\n"
     "            return uva__join_poll",
     "        if (false) {\n"
     "            return uva__join_poll",
     "a typed await of a stackless task forgets who else waits"),
    ("src/core/tasks.c",
     "    if (r >= 0 && (task->base.flags & (UVA__MUST_CANCEL | UVA__KEEPS)) == 0 &&\n"
     "        uva__future_gatherer",
     "    if (r >= 0 && (task->base.flags & UVA__MUST_CANCEL) == 0 &&\n"
     "        uva__future_gatherer",
     "a gathered task does not drop its arguments"),
    ("src/core/tasks.c",
     "    if (r >= 0 && (task->base.flags & (UVA__MUST_CANCEL | UVA__KEEPS)) == 0 &&\n"
     "        uva__future_gatherer",
     "    if (r >= 0 && (task->base.flags & UVA__KEEPS) == 0 &&\n"
     "        uva__future_gatherer",
     "a gathered task that is cancelled in its last step ends with a result"),
    ("src/core/graph.c",
     "    r = gatherer != NULL ? format_waiter(text, gatherer, depth)",
     "    r = gatherer != NULL ? 0",
     "the graph does not show the gather that alone waits"),
    ("src/combine/gather.c",
     "    gather->finished++;\n"
     "    if (!uva__future_pending(&gather->outer.base)) {\n"
     "        return;\n"
     "    }\n",
     "    gather->finished++;\n",
     "a gather that has failed is ended again by the next child"),
    ("src/combine/gather.c",
     "    if ((gather->flags & UVA_RETURN_EXCEPTIONS) == 0 && code < 0) {",
     "    if ((gather->flags & UVA_RETURN_EXCEPTIONS) == 0 && code < 0 &&\n"
     "        code != UV_ECANCELED) {",
     "a cancelled child does not fail its gather"),
    ("src/combine/gather.c",
     "            extra->error = uva_error_ref(source->error);",
     "            extra->error = NULL;",
     "a gather drops the record of the child that failed"),
    ("src/combine/gather.c",
     "        results[i] = results[first];",
     "        results[i] = (uva_result_t){0, NULL};",
     "the second place of one child has no result"),
    ("src/combine/gather.c",
     "    if (count == 0) {\n"
     "        uva__future_finish(outer, UVA__FUTURE_FINISHED, 0);\n"
     "    }\n",
     "",
     "a gather of nothing never ends"),
    # --- shield ---
    ("src/combine/shield.c",
     "    shield_let_go(shield);\n"
     "    uva__future_unref(&shield->outer.base);",
     "    if (!uva_future_cancelled(&shield->outer.base)) {\n"
     "        shield_let_go(shield);\n"
     "    }\n"
     "    uva__future_unref(&shield->outer.base);",
     "a cancelled shield still listens and mutes the inner failure"),
    ("src/combine/shield.c",
     "        (void)uva_future_cancel(outer);",
     "        (void)uva_future_set_exception(outer, UV_EIO, NULL);",
     "a cancelled inner future fails its shield"),
    ("src/core/cancel.c",
     "    } else if (task->base.phase != UVA__PHASE_CANCELLED) {",
     "    } else {",
     "the last of two cancels has the word"),
    ("src/core/cancel.c",
     "    task->base.flags |= UVA__VISITED;\n"
     "    (void)walk_run(&walk);",
     "    (void)walk_run(&walk);",
     "who closes a ring is counted again"),
    ("src/core/cancel.c",
     "    if (extra != NULL && extra->cancelling < UINT32_MAX - UINT16_MAX) {",
     "    if (false) {",
     "requests beyond 65,535 are not counted"),
    ("src/core/waiters.c",
     "        uva__task_drop_cancel(task);\n"
     "        return true;",
     "        uva__task_deliver_cancel(task);\n"
     "        return false;",
     "the words of the task come before those of the future"),
    ("src/core/failures.c",
     "    if (take_error != NULL || uva_error_code(old) == code) {",
     "    if (take_error != NULL) {",
     "a bare failure has the words of an older one"),
    ("src/core/failures.c",
     "                   task->extra->error_at != task->base.loop->iterations",
     "                   false",
     "a failure of long ago is a cause"),
    ("src/core/tasks.c",
     "        r = task->extra->left_code; /* Nobody else has cancelled it. */",
     "        (void)task;",
     "a task that returns out of a timeout was cancelled"),
    ("src/core/failures.c",
     "        extra->left_code = 0;",
     "        (void)code;",
     "a later cancellation is taken for a timeout that was left"),
    ("src/combine/shield.c",
     "        (void)uva_future_cancel(outer);",
     "        (void)uva_future_cancel_message(\n"
     "            outer, uva_future_get_cancel_message(inner));",
     "a shield passes the inner message on"),
    ("src/combine/shield.c",
     "        (void)uva_future_set_error(outer, uva_future_error(inner));",
     "        (void)uva_future_set_exception(outer, code, NULL);",
     "a shield drops the record of the inner failure"),
    ("src/combine/shield.c",
     "    if (!uva__future_pending(future)) {\n"
     "        return uva__future_ref(future);\n"
     "    }",
     "    if (future == NULL || future->kind == UVA__KIND_REFUSED) {\n"
     "        return uva__future_ref(future);\n"
     "    }",
     "a shield of a done future takes a turn"),
    # --- wait ---
    ("src/combine/wait.c",
     "    return !uva_future_cancelled(future) && uva__future_code(future) < 0;",
     "    return uva__future_code(future) < 0;",
     "a cancelled future ends a wait for the first exception"),
    ("src/combine/wait.c",
     "        if (plain || (future->flags & UVA__VISITED) == 0) {",
     "        if (true) {",
     "a future that stands twice in a wait counts twice"),
    ("src/combine/wait.c",
     "    if (state->left == 0 || state->when == UVA_FIRST_COMPLETED ||",
     "    if (state->left == 0 ||",
     "a wait for the first completed waits for all"),
    ("src/combine/wait.c",
     "    uva__timer_stop(state->loop, &state->timer);\n"
     "    state->waiter = NULL;",
     "    uva__timer_stop(state->loop, &state->timer);",
     "a wait that is over wakes its task again"),
    ("src/combine/wait.c",
     "        if (uva_future_done(node->future)) {\n"
     "            if (ret_done != NULL) {",
     "        if (node->ran) {\n"
     "            if (ret_done != NULL) {",
     "a future that was done when the wait ended counts as pending"),
    ("src/combine/wait.c",
     "        (void)uva_future_cancel(future);\n"
     "        return uva_waiter_suspend",
     "        return uva_waiter_suspend",
     "cancel-and-wait does not cancel"),
    # --- wait_for ---
    ("src/combine/wait.c",
     "        return uva__bare(UV_ETIMEDOUT);",
     "        return r;",
     "wait_for with no time tells a cancellation and no timeout"),
    ("src/combine/wait.c",
     "    if (timeout_ns == 0 && uva__future_pending(future)) {",
     "    if (timeout_ns == 0) {",
     "wait_for with no time fails of a done future's cancellation"),
    ("src/combine/wait.c",
     "        r = uva_timeout_exit(&op->timeout, r);\n"
     "    }\n"
     "    op->stage",
     "        r = uva_timeout_exit(&op->timeout, r < 0 ? UV_ECANCELED : r);\n"
     "    }\n"
     "    op->stage",
     "wait_for turns every failure into a cancellation"),
    ("src/combine/wait.c",
     "        r = uva__join_poll(take_task, ret, ret_bytes);",
     "        r = uva__join_poll(take_task, ret, sizeof(void *));",
     "a typed result that was waited for has the size of a pointer"),
    ("src/combine/wait.c",
     "            r = wait_for_result(take_task, ret, ret_bytes);",
     "            r = wait_for_result(take_task, NULL, ret_bytes);",
     "wait_for with no time gives no result"),
    # --- timeouts ---
    ("src/combine/timeouts.c",
     "    return uva_task_uncancel(timeout->task) <= timeout->cancelling;",
     "    return uva_task_uncancel(timeout->task) <= timeout->cancelling + 1;",
     "a timeout swallows a cancel from outside"),
    ("src/combine/timeouts.c",
     "    timeout->cancelling = uva_task_cancelling(task);",
     "    timeout->cancelling = 0;",
     "a timeout inside a cancelled task does not tell itself"),
    ("src/combine/timeouts.c",
     "    if (timeout_end(timeout) && r == UV_ECANCELED) {",
     "    if (timeout_end(timeout) && r < 0) {",
     "a timeout hides another failure of the block"),
    ("src/combine/timeouts.c",
     "    if (when_ns <= loop->driver->now(loop)) {",
     "    if (when_ns < loop->driver->now(loop)) {",
     "a deadline that is now is a timer and not a call"),
    ("src/combine/timeouts.c",
     "    entry_disarm(entry);\n"
     "    timeout->when_ns = when_ns;",
     "    timeout->when_ns = when_ns;",
     "a rescheduled timeout keeps its old deadline too"),
    ("src/combine/timeouts.c",
     "        timeout_code(timeout) < 0) {\n"
     "        return uva__bare(UV_EPERM);",
     "        false) {\n"
     "        return uva__bare(UV_EPERM);",
     "a timeout that came can be rescheduled"),
    # --- task groups ---
    ("src/combine/taskgroups.c",
     "            &birth, uva__spawn_on(birth.loop, coro, args, options, here));",
     "            &birth, uva__spawn_on(birth.loop, coro, args, NULL, here));",
     "a typed child has no options"),
    ("src/combine/taskgroups.c",
     "        group_abort(group);\n"
     "        group->parent_cancelled = true;\n"
     "        (void)uva_task_cancel(group->scope.task);",
     "        group_abort(group);",
     "a failing child does not end the body of its group"),
    ("src/combine/taskgroups.c",
     "    if (uva_task_uncancel(parent) <= group->cancelling) {",
     "    if (group->cancelling <= UINT_MAX) {",
     "a group does not take its own cancel back"),
    ("src/combine/taskgroups.c",
     "    if (uva_task_uncancel(parent) <= group->cancelling) {",
     "    if (uva_task_uncancel(parent) == 0) {",
     "a group takes its own cancel for another in a task that swallowed one"),
    ("src/combine/taskgroups.c",
     "        uva__task_drop_cancel(parent); /* Not delivered: it is the group's. */\n",
     "",
     "a group leaves its own cancel to a task that swallowed one"),
    ("src/combine/taskgroups.c",
     "            group->pending = woken;\n"
     "            if (!group->aborting) {",
     "            if (!group->aborting) {\n"
     "                group->pending = woken;",
     "a group that ends swallows a cancel from outside"),
    ("src/combine/taskgroups.c",
     "            group->pending = woken;\n"
     "            if (!group->aborting) {",
     "            group->pending = woken;\n"
     "            if (false) {",
     "a parent cancelled in the exit does not cancel the children"),
    ("src/combine/taskgroups.c",
     "        if (r < 0 && !group->aborting) {\n"
     "            group_abort(group);\n"
     "        }",
     "        group->aborting = group->aborting || r < 0;",
     "a body that failed leaves its children running"),
    ("src/combine/taskgroups.c",
     "    if (uva_task_cancelled(task)) {\n"
     "        return;\n"
     "    }",
     "",
     "a cancelled child fails its group"),
    ("src/combine/taskgroups.c",
     "    return group->aborting ? UV_EPERM : 0;",
     "    return 0;",
     "a group that ends takes further children"),
    ("src/combine/taskgroups.c",
     "        (void)uva_task_uncancel(parent);\n"
     "        (void)uva_task_cancel(parent);",
     "        (void)parent;",
     "a cancel from outside is not delivered after the group's failure"),
    ("src/combine/taskgroups.c",
     "            group->running--;\n"
     "            group_let_begin(group);",
     "            group->running--;",
     "a child that waits for its turn never begins"),
    ("src/combine/taskgroups.c",
     "        } else if (uva_waiter_wake(&task->waiter)) {",
     "        } else if (uva_waiter_wake(&task->waiter) || true) {",
     "a child cancelled before its turn takes the turn along"),
    ("src/combine/taskgroups.c",
     "    if (group->succeeded) {\n"
     "        group->code = 0; /* Failures beside a success count for nothing. */",
     "    if (group->succeeded) {",
     "failures beside the first success are raised"),
    # --- as_completed ---
    ("src/combine/as_completed.c",
     "        if (--state->todo == 0) {\n"
     "            uva__timer_stop(state->loop, &state->timer);\n"
     "        }",
     "        --state->todo;",
     "the timer of an exhausted as_completed goes on"),
    ("src/combine/as_completed.c",
     "    uva__list_append(&state->done, &node->link);\n"
     "    (void)uva_waiter_wake_first(&state->waiters);",
     "    uva__list_append(&state->done, &node->link);\n"
     "    if (!uva__list_empty(&state->waiters)) {\n"
     "        (void)uva_waiter_wake(UVA__LIST_FIRST(\n"
     "            &state->waiters, uva_waiter_t, link));\n"
     "    }",
     "a waiter that was cancelled swallows the wake-up of the next"),
    ("src/combine/as_completed.c",
     "    if (node->timed_out) {\n"
     "        return uva__bare(UV_ETIMEDOUT);\n"
     "    }",
     "",
     "as_completed does not tell its timeout"),
    ("src/combine/as_completed.c",
     "        if (r < 0 && woken && state != NULL &&",
     "        if (false &&",
     "who is cancelled takes the wake-up of an as_completed along"),
    ("src/combine/as_completed.c",
     "            (uva__future_pending(node->future) || !node->ran)) {",
     "            uva__future_pending(node->future)) {",
     "a future that is done when the timeout comes is given out after it"),
    # --- context ---
    ("src/core/context.c",
     "        if (map->entries[i].var != var) {\n"
     "            copy->entries[copy->count++] = map->entries[i];\n"
     "        }",
     "        copy->entries[copy->count++] = map->entries[i];",
     "a variable that is reset to unset keeps its value"),
    ("src/core/context.c",
     "    if (token->var != var || token->context != context || context == NULL) {",
     "    if (token->var != var || context == NULL) {",
     "a token of another context is taken"),
    ("src/core/context.c",
     "    token->used = true;",
     "    token->used = false;",
     "a token can be used twice"),
    ("src/core/context.c",
     "        extra->context = uva_context_ref(context);\n"
     "        context->entered = true;",
     "        extra->context = uva_context_ref(context);\n"
     "        context->entered = false;",
     "a context can be entered twice inside a task"),
    # --- slab ---
    ("src/base/slab.c",
     "    if (slab->block_bytes < SLAB_LARGEST_BYTES) {\n"
     "        slab->block_bytes *= 2;\n"
     "    }",
     "    slab->block_bytes *= 1;",
     "the blocks of a slab stay small"),
    # --- timers, wheel, heap ---
    ("src/core/timers.c",
     "    if (timer->state == TIMER_DUE) {\n"
     "        uva__list_remove(&timer->at.link);\n"
     "    } else",
     "    if (timer->state == TIMER_DUE) {\n"
     "        timer->fire = timer->fire;\n"
     "    } else",
     "a timer that is due cannot be stopped"),
    ("src/core/timers.c",
     "    ready->run = NULL;\n"
     "    uva__list_init(&due);",
     "    uva__list_init(&due);",
     "timers that come due after the first batch never run"),
    ("src/core/timers.c",
     "uva__wheel_next(&loop->timers) <= now_ns) {",
     "uva__wheel_next(&loop->timers) < now_ns) {",
     "a timer does not fire at its deadline"),
    ("src/core/timers.c",
     "if (count >= TIMERS_AT_ONCE && timer->when_ns != last_ns) {",
     "if (false && timer->when_ns != last_ns) {",
     "however many timers are due, all run before what they queue"),
    ("src/core/timers.c",
     "if (count >= TIMERS_AT_ONCE && timer->when_ns != last_ns) {",
     "if (count >= TIMERS_AT_ONCE && last_ns > 0) {",
     "many timers of one deadline are parted"),
    ("src/core/timers.c",
     "if (count < TIMERS_DENSE || loop->apart_ns < TIMERS_APART_NS) {",
     "if (loop->apart_ns < TIMERS_APART_NS) {",
     "wake-ups stay far apart when timers are few again"),
    ("src/core/timers.c",
     "    if (now_ns >= loop->calm_ns) {",
     "    if (true) {",
     "a busy loop brings the wake-ups of dense timers together"),
    ("src/core/driver_uv.c",
     "timer_fd_arm(driver, when_ns < calm_ns ? calm_ns : when_ns)",
     "timer_fd_arm(driver, calm_ns == 1 ? calm_ns : when_ns)",
     "each of many deadlines has a wake-up of its own"),
    ("src/base/heap.c",
     "    return a->timer->sequence < b->timer->sequence;",
     "    return a->timer->sequence > b->timer->sequence;",
     "timers of one deadline fire in the wrong order"),
    ("src/base/heap.c",
     "    if (index > 0 && entry_before(&last, &heap->entries[(index - 1) / 4])) {",
     "    if (false) {",
     "what replaces a removed timer is not sifted up"),
    ("src/base/wheel.c",
     "        if (*slot == NULL) {\n"
     "            wheel->occupied",
     "        if (true) {\n"
     "            wheel->occupied",
     "a stopped timer takes its neighbours in the slot along"),
    ("src/base/wheel.c",
     "    hole->timer->at.wheel.entry = hole;",
     "    hole->timer->state = TIMER_IN_WHEEL;",
     "a timer that moved into another's place is stopped at its old one"),
    ("src/base/wheel.c",
     "        if (begin < first) {",
     "        if (first == UINT64_MAX) {",
     "a far slot that begins first waits for the near ones"),
    ("src/base/wheel.c",
     "            return (turn + (slot - at) % slots) << shift;",
     "            return (turn - at + slot) << shift;",
     "a slot forgets that it belongs to the next turn"),
    ("src/base/wheel.c",
     "    for (unsigned i = 0; i <= slots / 64; i++) {",
     "    for (unsigned i = 0; i < slots / 64; i++) {",
     "slots behind the wheel's tick in its word are not found"),
    ("src/base/wheel.c",
     "    while ((tick >> shift) - (wheel->tick >> shift) >= level_slots(level)) {",
     "    while ((tick >> shift) - (wheel->tick >> shift) > level_slots(level)) {",
     "a timer that is a whole turn away stands in the slot of now"),
    ("src/base/wheel.c",
     "        for (unsigned level = WHEEL_LEVELS; level-- > 0;) {",
     "        for (unsigned level = 1; level-- > 0;) {",
     "a far slot is never emptied"),
    ("src/base/wheel.c",
     "now_ns <= wheel->after_ns && now_ns >> WHEEL_TICK_BITS > wheel->tick",
     "now_ns >> WHEEL_TICK_BITS > wheel->tick",
     "the wheel's tick runs over slots that are occupied"),
    ("src/base/wheel.c",
     "            if (!wheel_place(wheel, chunk->entries[i])) {\n"
     "                wheel_place_near(wheel, chunk->entries[i]);\n"
     "            }",
     "            (void)wheel_place(wheel, chunk->entries[i]);",
     "a timer that there is no memory to move is lost"),
    ("src/base/wheel.c",
     "        !wheel_place(wheel, (uva__heap_entry_t){when_ns, timer})) {",
     "        (wheel_place(wheel, (uva__heap_entry_t){when_ns, timer}), false)) {",
     "a timer without memory counts as started"),
    # --- locks ---
    ("src/sync/locks.c",
     "        if (!lock->locked) {\n"
     "            lock_wake_first(lock);\n"
     "        }\n"
     "        return r;",
     "        return r;",
     "a cancelled waiter keeps the wake-up of a free lock"),
    ("src/sync/locks.c",
     "        if (!uva_waiter_cancelled(waiter)) {",
     "        if (false) {",
     "a newcomer overtakes those who wait for a lock"),
    ("src/sync/locks.c",
     "        if (!uva_waiter_cancelled(waiter)) {",
     "        if (waiter != NULL) {",
     "a newcomer waits behind waiters that are all cancelled"),
    ("src/sync/locks.c",
     "    if (lock->leaving == 0 && !uva__list_empty(&lock->waiters)) {",
     "    if (!uva__list_empty(&lock->waiters)) {",
     "who came behind cancelled waiters is woken before they have run"),
    ("src/sync/locks.c",
     "    lock->locked = false;\n"
     "    lock_wake_first(lock);",
     "    lock->locked = false;",
     "a release wakes nobody"),
    ("src/sync/locks.c",
     "            (void)uva_waiter_wake(waiter);\n"
     "        }",
     "            (void)uva_waiter_wake(waiter);\n"
     "            break;\n"
     "        }",
     "an event wakes one waiter alone"),
    # --- conditions ---
    ("src/sync/conditions.c",
     "    while ((r = uva_condition_acquire_poll(condition)) == UV_ECANCELED) {\n"
     "        stage = CONDITION_CANCELLED;\n"
     "    }",
     "    r = uva_condition_acquire_poll(condition);",
     "a wait that is cancelled while it takes the lock leaves without it"),
    ("src/sync/conditions.c",
     "    while ((r = uva_condition_acquire_poll(condition)) == UV_ECANCELED) {\n"
     "        stage = CONDITION_CANCELLED;",
     "    while ((r = uva_condition_acquire_poll(condition)) == UV_ECANCELED) {\n"
     "        stage = CONDITION_REACQUIRING;",
     "a wait swallows a cancel that comes while it takes the lock"),
    ("src/sync/conditions.c",
     "    condition_notify(condition, 1);\n"
     "    return uva__bare(",
     "    return uva__bare(",
     "a cancelled waiter takes its notification along"),
    ("src/sync/conditions.c",
     "        count--;",
     "        count -= count > 1 ? 2 : 1;",
     "notify of two wakes one"),
    ("src/sync/conditions.c",
     "    (void)uva_lock_release(lock);\n"
     "    uva__stage_set",
     "    uva__stage_set",
     "a wait keeps the lock"),
    # --- semaphores ---
    ("src/sync/semaphores.c",
     "        semaphore->value++; /* We had a permit already: give it back. */",
     "        semaphore->value += 0;",
     "a cancelled waiter keeps the permit that it was woken with"),
    ("src/sync/semaphores.c",
     "    return semaphore->value <= 0 || semaphore->woken_count > 0;",
     "    return semaphore->value <= 0;",
     "a newcomer overtakes those who were woken"),
    ("src/sync/semaphores.c",
     "    while (semaphore->value > 0 && semaphore_wake_next(semaphore)) {\n"
     "    }\n",
     "",
     "permits are free while tasks wait"),
    ("src/sync/semaphores.c",
     "    if (semaphore->value >= semaphore->bound) {",
     "    if (semaphore->value > semaphore->bound) {",
     "a bounded semaphore is released once too often"),
    # --- barriers ---
    ("src/sync/barriers.c",
     "        barrier_notify_all(barrier); /* Those who came while we left. */",
     "        (void)barrier;",
     "tasks that came while others left wait for ever"),
    ("src/sync/barriers.c",
     "    return barrier->state == UVA__BARRIER_DRAINING\n",
     "    return true\n",
     "tasks of a reset barrier pass it"),
    ("src/sync/barriers.c",
     "        barrier->count > 0 ? UVA__BARRIER_RESETTING : UVA__BARRIER_FILLING;",
     "        UVA__BARRIER_RESETTING;",
     "a reset with nobody inside never ends"),
    ("src/sync/barriers.c",
     "    return barrier->state == UVA__BARRIER_FILLING ||\n"
     "           barrier->state == UVA__BARRIER_BROKEN;",
     "    return barrier->state != UVA__BARRIER_RESETTING;",
     "tasks enter while others leave"),
    # --- queues ---
    ("src/sync/queues.c",
     "    if (woken && queue->count > 0) {\n"
     "        /* We were called for an item that we do not take. */\n"
     "        (void)uva__line_wake_first(&queue->getters);\n"
     "    }\n",
     "    (void)woken;\n",
     "a cancelled getter takes its wake-up along"),
    ("src/sync/queues.c",
     "    return woken ? queue_put_refused(queue, r) : r;",
     "    (void)woken;\n"
     "    return r;",
     "a cancelled putter takes its wake-up along"),
    ("src/sync/queues.c",
     "    return woken ? queue_put_refused(queue, r) : r;",
     "    (void)woken;\n"
     "    return queue_put_refused(queue, r);",
     "a putter that is cancelled before it is called calls another"),
    ("src/sync/queues.c",
     "    return queue_put_refused(queue, queue_put_hard(queue, item));",
     "    return queue_put_hard(queue, item);",
     "a putter without memory takes its wake-up along"),
    ("src/sync/queues.c",
     "    *ret_item = queue_pop(queue);\n"
     "    return uva__line_wake_first(&queue->putters);",
     "    *ret_item = queue_pop(queue);\n"
     "    return 0;",
     "a get out of a heap that has waited calls no putter"),
    ("src/sync/queues.c",
     "        (void)uva__line_wake_first(&queue->putters);\n"
     "    }\n"
     "    queue_open_gets(queue);",
     "    }\n"
     "    queue_open_gets(queue);",
     "a get calls no putter"),
    ("src/sync/queues.c",
     "        (void)uva__line_wake_first(&queue->getters);\n"
     "    }\n"
     "    queue_open_puts(queue);",
     "    }\n"
     "    queue_open_puts(queue);",
     "a put calls no getter"),
    ("src/sync/queues.c",
     "    *ret_item = queue_pop_first(queue);\n"
     "    return uva__line_wake_first_of(queue->loop, &queue->putters);",
     "    *ret_item = queue_pop_first(queue);\n"
     "    return 0;",
     "a get that has waited calls no putter"),
    ("src/sync/queues.c",
     "    queue_append(queue, item);\n"
     "    return uva__line_wake_first_of(queue->loop, &queue->getters);",
     "    queue_append(queue, item);\n"
     "    return 0;",
     "a put that has waited calls no getter"),
    ("src/sync/queues.c",
     "        queue->few = SIZE_MAX; /* The next get calls us. */\n",
     "",
     "a get passes a stackful putter"),
    ("src/sync/queues.c",
     "        queue->room = 0; /* The next put calls us. */\n",
     "",
     "a put passes a stackful getter"),
    ("src/sync/queues.c",
     "    if (queue->getters.asleep == 0 &&\n"
     "        uva__list_empty(&queue->putters.waiters)) {",
     "    if (uva__list_empty(&queue->putters.waiters)) {",
     "the poll of a called getter takes the short way"),
    ("src/sync/queues.c",
     "    if (queue->putters.asleep == 0 &&\n"
     "        uva__list_empty(&queue->getters.waiters)) {",
     "    if (uva__list_empty(&queue->getters.waiters)) {",
     "the poll of a called putter takes the short way"),
    ("src/sync/queues.c",
     "    if (queue->getters.asleep == 0 &&\n"
     "        uva__list_empty(&queue->putters.waiters)) {",
     "    if (queue->getters.asleep == 0) {",
     "the second get passes those who wait to put"),
    ("src/sync/queues.c",
     "    if (queue->putters.asleep == 0 &&\n"
     "        uva__list_empty(&queue->getters.waiters)) {",
     "    if (queue->putters.asleep == 0) {",
     "the second put passes those who wait to get"),
    ("src/sync/heapq.h",
     "    if (queue->is_shutdown || queue->overflow != UVA_QUEUE_WAIT ||",
     "    if (queue->overflow != UVA_QUEUE_WAIT ||",
     "a put waits for room in a queue that is shut down"),
    ("src/sync/select.c",
     "        uva__queue_close(cases[i].queue);",
     "        (void)cases[i].queue;",
     "puts and gets pass those who select"),
    ("src/sync/queues.c",
     "    queue->finished.value = false; /* As uva_event_clear. */",
     "    (void)queue->finished.value;",
     "a join does not wait"),
    ("src/sync/queues.c",
     "        queue_finish(queue);\n"
     "        queue_drop(queue, item);",
     "        queue_drop(queue, item);",
     "an immediate shutdown leaves who joins waiting"),
    ("src/sync/queues.c",
     "    uva__line_wake_all(&queue->putters);",
     "",
     "a shutdown leaves the putters waiting"),
    ("src/sync/queues.c",
     "    if (queue->count == 0) {\n"
     "        return uva__bare(queue->is_shutdown",
     "    if (queue->is_shutdown || queue->count == 0) {\n"
     "        return uva__bare(queue->is_shutdown",
     "what a queue holds at its shutdown cannot be had"),
    ("src/sync/heapq.c",
     "    queue->compares = compares;",
     "    queue->compares = false;",
     "a comparison changes the heap that it orders"),
    ("src/sync/heapq.c",
     "            !queue_less(queue, items[child], items[child + 1])) {",
     "            queue_less(queue, items[child + 1], items[child])) {",
     "equal items leave a priority queue in another order than heapq's"),
    ("src/sync/queues.c",
     "    return queue->maxsize > 0 && queue->count >= queue->maxsize;",
     "    return queue->maxsize > 0 && queue->count > queue->maxsize;",
     "a bounded queue takes one item more"),

    # --- exceptions of C++ ---
    ("src/core/step.h",
     "                       uva__exceptions_any(loop->exceptions)) != 0)) {",
     "                       0) != 0)) {",
     "a task that awaits in a catch block leaves its exception to the next"),
    ("src/core/step.c",
     "    if (UVA__UNLIKELY(uva__exceptions_any(loop->exceptions) != 0)) {\n"
     "        return task_leave_with_exceptions(loop, task);",
     "    if (false) {\n"
     "        return task_leave_with_exceptions(loop, task);",
     "the exception of a catch block stays behind when the loop is next"),
    ("src/core/step.c",
     "    if (UVA__UNLIKELY(uva__exceptions_any(loop->exceptions) != 0)) {\n"
     "        return (int)task_leave_with_exceptions(loop, task).code;",
     "    if (false) {\n"
     "        return (int)task_leave_with_exceptions(loop, task).code;",
     "the exception of a catch block stays behind in a yield to the loop"),
    ("src/core/step.c",
     "    uva__exceptions_t taken = uva__exceptions_take(loop->exceptions);\n"
     "    bool in_factory",
     "    uva__exceptions_t taken = {0};\n"
     "    bool in_factory",
     "an eager child takes its parent's exception along"),
    ("src/core/turn.c",
     "    if (UVA__UNLIKELY(uva__exceptions_any(loop->exceptions) != 0)) {",
     "    if (false) {",
     "tasks take along what the catch block handles that runs the loop"),
    ("src/core/generators.c",
     "    taken = uva__exceptions_take(loop->exceptions);\n"
     "    (void)uva__context_switch(",
     "    taken = (uva__exceptions_t){0};\n"
     "    (void)uva__context_switch(",
     "a generator leaves its exception to its driver"),
    ("src/core/generators.c",
     "    uva__exceptions_t taken = uva__exceptions_take(loop->exceptions);",
     "    uva__exceptions_t taken = {0};",
     "a generator takes the exception of its driver along"),
    ("src/stack/exceptions.h",
     "#    define UVA__EXCEPTIONS_SEEN 1",
     "#    define UVA__EXCEPTIONS_SEEN 0",
     "exceptions that look for their catch block are not seen"),
]
