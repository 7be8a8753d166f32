" trackfs: reload on change, completion, links, problems.
"
" It is active in files of a workspace (a folder with .trackfs above them), and needs the program `trackfs`.
"
"   CTRL-X CTRL-O    completes: a field at the start of a line of the block, a value behind its colon, a ticket after [[ or in
"                    a field that names tickets
"   gf               on [[name]], +name or a name in parent, blocked_by …: goes to that ticket
"   :TrackfsProblems fills the quickfix list with what is wrong in the workspace
"   :TrackfsSearch W finds words in tickets, comments and specs, into the quickfix list

if exists('g:loaded_trackfs') || v:version < 800
  finish
endif
let g:loaded_trackfs = 1

function! s:Root() abort
  let folder = finddir('.trackfs', fnamemodify(expand('%:p:h'), ':p') . ';')
  return empty(folder) ? '' : fnamemodify(folder, ':p:h:h')
endfunction

function! s:Run(...) abort
  let command = ['trackfs', '-C', b:trackfs_root] + a:000
  return systemlist(join(map(command, 'shellescape(v:val)')) . ' 2>' . (has('win32') ? 'NUL' : '/dev/null'))
endfunction

" Whether the cursor is in the block between the two lines of dashes.
function! s:InBlock() abort
  return getline(1) ==# '---' && search('\%>1l^---$', 'nW') > 0
endfunction

let s:linking = ['parent', 'blocked_by', 'related', 'duplicate_of']

function! s:Field() abort
  for number in range(line('.'), 1, -1)
    let name = matchstr(getline(number), '^\w[^:]*\ze:')
    if !empty(name)
      return name
    endif
  endfor
  return ''
endfunction

function! TrackfsComplete(findstart, base) abort
  if a:findstart
    return match(strpart(getline('.'), 0, col('.') - 1), '[^][:, +]*$')
  endif
  let before = strpart(getline('.'), 0, col('.') - 1)
  if before =~# '\[\[[^]]*$' || (s:InBlock() && before =~# ':' && index(s:linking, s:Field()) >= 0)
    let words = s:Run('complete', 'tickets', a:base)
  elseif s:InBlock() && before !~# '[: -]'
    let words = map(s:Run('complete', 'fields'), {_, word -> substitute(word, '\t\|$', ':&', '')})
  elseif s:InBlock()
    let words = s:Run('complete', 'values', s:Field())
  else
    return []
  endif
  let found = map(words, {_, word -> {'word': split(word, '\t')[0], 'menu': join(split(word, '\t')[1:])}})
  return filter(found, {_, item -> stridx(tolower(item.word . item.menu), tolower(a:base)) >= 0})
endfunction

function! s:Go() abort
  let name = matchstr(expand('<cWORD>'), '\[\[\zs[^]|]\+\ze')
  if empty(name)
    let name = trim(expand('<cWORD>'), '[]",+')
  endif
  let shown = s:Run('show', '--json', name)
  if v:shell_error || empty(shown)
    normal! gf
  else
    execute 'edit' fnameescape(b:trackfs_root . '/' . json_decode(shown[0]).path)
  endif
endfunction

function! s:Problems() abort
  let problems = map(s:Run('schema', 'check', '--json'), {_, line -> json_decode(line)})
  call setqflist([], ' ', {'title': 'trackfs', 'items': map(problems, {_, found -> {
        \ 'filename': b:trackfs_root . '/' . found.path, 'lnum': found.line, 'col': found.column,
        \ 'text': found.message . (has_key(found, 'help') ? ' (' . found.help . ')' : '')}})})
  execute empty(getqflist()) ? 'cclose | echo "trackfs: nothing is wrong"' : 'copen'
endfunction

function! s:Search(words) abort
  let hits = map(call('s:Run', ['search', '--json'] + split(a:words)), {_, line -> json_decode(line)})
  call setqflist([], ' ', {'title': 'trackfs search ' . a:words, 'items': map(hits, {_, hit -> {
        \ 'filename': b:trackfs_root . '/' . hit.path, 'lnum': hit.line, 'text': hit.title . ': ' . hit.text}})})
  execute empty(getqflist()) ? 'echo "trackfs: no file has these words"' : 'copen'
endfunction

function! s:Begin() abort
  let root = s:Root()
  if empty(root)
    return
  endif
  let b:trackfs_root = root
  " What comes from a tracker is shown at once, where nothing was typed.
  setlocal autoread omnifunc=TrackfsComplete
  nnoremap <buffer> <silent> gf :call <SID>Go()<CR>
  command! -buffer TrackfsProblems call s:Problems()
  command! -buffer -nargs=+ TrackfsSearch call s:Search(<q-args>)
endfunction

augroup trackfs
  autocmd!
  autocmd BufRead,BufNewFile * call s:Begin()
  autocmd FocusGained,BufEnter,CursorHold * if exists('b:trackfs_root') && empty(getcmdwintype()) | silent! checktime % | endif
augroup END
