-- What Neovim and luv do with a guest: both are LuaJIT with luv's functions.
local ffi = require('ffi')

ffi.cdef([[
typedef struct guest_s guest_t;
guest_t *guest_attach(void *host);
int guest_expect(guest_t *guest, int lingers);
void guest_complete(guest_t *guest, int number, int value);
void guest_cancel(guest_t *guest, int number);
int guest_result(guest_t *guest, int number);
void guest_talk(guest_t *guest, int port);
int guest_port(guest_t *guest);
void guest_fail(guest_t *guest, const char *what);
int guest_ready(guest_t *guest);
void guest_leave(guest_t *guest);
int guest_gone(guest_t *guest);
void guest_detach(guest_t *guest);
int guest_finish(guest_t *take_guest);
void guest_finish_at_exit(guest_t *take_guest);
]])

local ECANCELED = -125
local LIMIT_MS = 20000
local M = {}

-- after(uv, delay_ms, callback): once.
local function after(uv, delay_ms, callback)
  local timer = uv.new_timer()
  timer:start(delay_ms, 0, function()
    timer:close()
    callback()
  end)
end

-- until_true(uv, holds, callback): look each millisecond.
local function until_true(uv, holds, callback)
  local timer = uv.new_timer()
  timer:start(1, 1, function()
    if holds() then
      timer:close()
      callback()
    end
  end)
end

local function echo_server(uv)
  local server = uv.new_tcp()
  server:bind('127.0.0.1', 0)
  server:listen(16, function()
    local client = uv.new_tcp()
    server:accept(client)
    client:read_start(function(err, data)
      if data then
        client:write(data)
      else
        client:close()
      end
    end)
  end)
  return server
end

-- A line to the guest's own server and back.
local function talk(uv, port, callback)
  local client = uv.new_tcp()
  client:connect('127.0.0.1', port, function(err)
    assert(not err, err)
    client:read_start(function(_, data)
      client:close()
      callback(data)
    end)
    client:write('a line')
  end)
end

-- work(uv, library, guest, callback): give a guest all the work that Lua has,
-- and call callback(late) when that is done; late is the number of a wait of
-- which the callback is still to come.
local function work(uv, lib, guest, callback)
  local wanted = {}
  local function expect(result)
    local number = lib.guest_expect(guest, 0)
    wanted[number] = result
    return number
  end

  local timed = expect(7)
  after(uv, 2, function() lib.guest_complete(guest, timed, 7) end)
  local found = expect(1)
  uv.fs_stat('/', function(err, stat)
    lib.guest_complete(guest, found, stat.type == 'directory' and 1 or 0)
  end)
  local child = expect(3)
  local process
  process = uv.spawn('sh', { args = { '-c', 'exit 3' } }, function(status)
    process:close()
    lib.guest_complete(guest, child, status)
  end)
  local cancelled = expect(ECANCELED)
  local late = lib.guest_expect(guest, 1)

  local server = echo_server(uv)
  lib.guest_talk(guest, server:getsockname().port)
  local answer
  until_true(uv, function() return lib.guest_port(guest) > 0 end, function()
    lib.guest_cancel(guest, cancelled)
    talk(uv, lib.guest_port(guest), function(data) answer = data end)
  end)
  until_true(uv, function()
    return lib.guest_ready(guest) == 1 and answer
  end, function()
    server:close()
    lib.guest_complete(guest, cancelled, 1)
    if answer ~= 'a line' then
      lib.guest_fail(guest, 'the echo of a line came back changed')
    end
    for number, result in pairs(wanted) do
      if lib.guest_result(guest, number) ~= result then
        lib.guest_fail(guest, "a callback of Lua's gave something else")
      end
    end
    callback(late)
  end)
end

-- run(uv, path, loop, order, finish): a guest on a loop, and its end if that is
-- before the host's; then finish(status). With the order host or both, whoever
-- exits next has the last word.
function M.run(uv, path, loop, order, finish)
  local lib = ffi.load(path)
  local guest = lib.guest_attach(loop)
  assert(guest ~= nil)
  after(uv, LIMIT_MS, function()
    lib.guest_fail(guest, 'the work hangs')
    os.exit(1)
  end)
  work(uv, lib, guest, function(late)
    if order == 'guest' or order == 'detach' then
      if order == 'guest' then
        lib.guest_leave(guest)
      else
        lib.guest_detach(guest)
      end
      until_true(uv, function() return lib.guest_gone(guest) == 1 end, function()
        lib.guest_complete(guest, late, 1)
        finish(lib.guest_finish(guest))
      end)
    else
      if order == 'both' then
        lib.guest_leave(guest)
      end
      lib.guest_finish_at_exit(guest)
      finish(0)
    end
  end)
end

return M
