-- A guest on the loop of Neovim: HOST_GUEST is the library, HOST_ORDER the
-- order. At its end Neovim closes every handle that it finds on its loop, and
-- waits two seconds at most for that.
local folder = debug.getinfo(1, 'S').source:match('^@(.*/)') or './'
local ffi = require('ffi')

ffi.cdef('extern char main_loop[];')

local found, main_loop = pcall(function() return ffi.C.main_loop end)
if not found then
  print('this Neovim does not export main_loop')
  vim.cmd('77cquit')
end
local right, message = pcall(function()
  dofile(folder .. 'guest.lua').run(vim.loop, os.getenv('HOST_GUEST'),
    main_loop, os.getenv('HOST_ORDER'), function(failures)
      vim.schedule(function()
        vim.cmd(failures == 0 and 'qall!' or 'cquit')
      end)
    end)
end)
if not right then
  print(message)
  vim.cmd('cquit')
end
