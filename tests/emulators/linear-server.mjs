#!/usr/bin/env node
// A stateful stand-in for api.linear.app that executes Linear's published schema. Only dependency: graphql 16.
// usage: LINEAR_SCHEMA=linear.schema.graphql PORT=4202 node linear-server.mjs
// Control, by POST of JSON to /_double/…: edit {id, input}, comment {input}, document {id?, input}, project {id, input} and attach {input} (by somebody else), create, purge {id},
// faults {faults: [{match, mode, times, skip}]}, opt {…, see OPT}, hold, release, log, hooks, state, reset.
import http from 'node:http';
import { readFileSync } from 'node:fs';
import { createHmac, randomUUID } from 'node:crypto';
import {
  buildSchema,
  parse,
  validate,
  execute,
  getNamedType,
  isNonNullType,
  isListType,
  isScalarType,
  isEnumType,
  isObjectType,
  getNullableType,
  visit,
  visitWithTypeInfo,
  TypeInfo,
  GraphQLError,
  getVariableValues,
} from 'graphql';
const PORT = +(process.env.PORT || 4202),
  schema = buildSchema(readFileSync(process.env.LINEAR_SCHEMA || 'linear.schema.graphql', 'utf8'), { assumeValid: true });
const OPT = {
  reqLimit: 2500,
  cxLimit: 3000000,
  maxQueryCx: 10000,
  lagMs: 0,
  commentBumpsIssue: false,
  normalizeMarkdown: true,
  timeScale: +(process.env.TIME_SCALE || 1),
  pageMax: 250,
  rateStatus: 400,
};
let S, LOG, FAULTS, HOOKLOG, BUDGET;
const bus = { hold: false, q: [] };
const iso = (t = Date.now()) => new Date(t).toISOString();
let clock = 0;
const now = () => {
  clock = Math.max(clock + 1, Date.now());
  return iso(clock);
};
const DEF = {
  users: [
    ['00000000-0000-4000-8000-000000000001', 'Admin User', 'admin@example.com', true],
    ['00000000-0000-4000-8000-000000000002', 'Dev User', 'dev@example.com', false],
  ],
  teams: [
    ['00000000-0000-4000-8000-00000000000a', 'SYN', 'Sync'],
    ['00000000-0000-4000-8000-00000000000b', 'OPS', 'Operations'],
  ],
  tokens: { lin_api_admin: 0, lin_api_dev: 1, lin_oauth_app: 0 },
};
const STATES = [
  ['Triage', 'triage'],
  ['Backlog', 'backlog'],
  ['Todo', 'unstarted'],
  ['In Progress', 'started'],
  ['Done', 'completed'],
  ['Canceled', 'canceled'],
  ['Duplicate', 'duplicate'],
];
function reset() {
  S = {
    issue: new Map(),
    comment: new Map(),
    label: new Map(),
    team: new Map(),
    state: new Map(),
    user: new Map(),
    project: new Map(),
    milestone: new Map(),
    cycle: new Map(),
    relation: new Map(),
    document: new Map(),
    attachment: new Map(),
    webhook: new Map(),
    sync: 1000,
    org: { id: randomUUID(), name: 'Acme', urlKey: 'acme', createdAt: iso(), updatedAt: iso(), __typename: 'Organization' },
  };
  LOG = [];
  FAULTS = [];
  HOOKLOG = [];
  BUDGET = {};
  bus.q = [];
  bus.hold = false;
  for (const [id, name, email, admin] of DEF.users)
    put(
      'user',
      {
        id,
        name,
        displayName: name.split(' ')[0].toLowerCase(),
        email,
        admin,
        active: true,
        url: `https://linear.app/acme/profiles/${name.split(' ')[0].toLowerCase()}`,
      },
      'User',
    );
  for (const [id, key, name] of DEF.teams) {
    put('team', { id, key, name, seq: 0, private: false }, 'Team');
    STATES.forEach(([n, type], i) =>
      put('state', { id: uuidFrom(key + n), name: n, type, position: i, teamId: id, color: '#bec2c8' }, 'WorkflowState'),
    );
    for (const l of ['Bug', 'Feature']) put('label', { id: uuidFrom(key + l), name: l, color: '#d92d20', teamId: id }, 'IssueLabel');
    put(
      'cycle',
      { id: uuidFrom(key + 'c1'), number: 1, name: 'Cycle 1', teamId: id, startsAt: iso(), endsAt: iso(Date.now() + 12096e5) },
      'Cycle',
    );
    put(
      'cycle',
      { id: uuidFrom(key + 'c2'), number: 2, name: null, teamId: id, startsAt: iso(Date.now() + 12096e5), endsAt: iso(Date.now() + 24192e5) },
      'Cycle',
    );
  }
  put('label', { id: uuidFrom('ws-urgent'), name: 'workspace-wide', color: '#222222', teamId: null }, 'IssueLabel');
  for (const [name, milestones] of [
    ['Launch', ['v1', 'v2']],
    ['Polish', ['v1', 'final']],
  ]) {
    put(
      'project',
      {
        id: uuidFrom('proj' + name),
        name,
        state: 'started',
        teamIds: DEF.teams.map((t) => t[0]),
        description: '',
        content: `What ${name} is about.`,
        slugId: name.toLowerCase(),
        url: `https://linear.app/acme/project/${name.toLowerCase()}`,
      },
      'Project',
    );
    for (const m of milestones) put('milestone', { id: uuidFrom(name + m), name: m, projectId: uuidFrom('proj' + name) }, 'ProjectMilestone');
  }
}
const uuidFrom = (s) => {
  const h = createHmac('sha256', 'd').update(s).digest('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20, 32)}`;
};
function put(kind, o, __typename) {
  const t = now();
  o = { createdAt: t, updatedAt: t, archivedAt: null, ...o, __typename };
  o.vis = Date.now();
  S[kind].set(o.id, o);
  return o;
}
class UserErr extends GraphQLError {
  constructor(msg, present, code = 'INPUT_ERROR', type = 'invalid input') {
    super(msg, {
      extensions: { type, code, statusCode: 400, userError: true, userPresentableMessage: present || msg, meta: {}, http: { status: 400 } },
    });
  }
}
const nf = (T) => new UserErr(`Entity not found: ${T} - Could not find referenced ${T}.`, `Could not find referenced ${T}.`);
const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
// what Linear does to markdown on store: CRLF->LF, '-'/'+' bullets -> '*', trailing spaces dropped, blank runs collapsed, outer trim; fenced code untouched
function md(s) {
  if (s == null || !OPT.normalizeMarkdown) return s;
  let fence = false;
  s = s
    .replace(/\r\n?/g, '\n')
    .split('\n')
    .map((l) => {
      if (/^\s*(```|~~~)/.test(l)) {
        fence = !fence;
        return l;
      }
      return fence
        ? l
        : l
            .replace(/[ \t]+$/, '')
            .replace(/^(\s*)[-+](\s+)(?!\s*[-*_]\s*[-*_])/, '$1*$2')
            .replace(/^(\s*\* )\[x\]/i, '$1[X]');
    })
    .join('\n');
  return s
    .split(/(```[\s\S]*?```)/)
    .map((p, i) => (i % 2 ? p : p.replace(/\n{3,}/g, '\n\n')))
    .join('')
    .trim();
}
const issueBy = (ref) => {
  if (S.issue.has(ref)) return S.issue.get(ref);
  for (const i of S.issue.values())
    if (i.identifier === String(ref).toUpperCase() || i.previousIdentifiers.includes(String(ref).toUpperCase())) return i;
};
const need = (k, id, T) => {
  const o = S[k].get(id);
  if (!o) throw nf(T);
  return o;
};
const defState = (team) =>
  [...S.state.values()].filter((s) => s.teamId === team && s.type === 'backlog').sort((a, b) => a.position - b.position)[0];
const slug = (t) =>
  t
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40);
function labelsOk(ids, teamId) {
  for (const l of ids) {
    const o = need('label', l, 'IssueLabel');
    if (o.teamId && o.teamId !== teamId)
      throw new UserErr('LabelIds for incorrect team', 'The label is not associated with the same team as the issue.');
  }
  return [...new Set(ids)];
}
// an issue's project, milestone and cycle, after a write
function filed(i) {
  if (i.projectId) need('project', i.projectId, 'Project');
  if (i.cycleId && need('cycle', i.cycleId, 'Cycle').teamId !== i.teamId) throw new UserErr('Discrepancy between issue team and cycle team');
  if (i.projectMilestoneId && need('milestone', i.projectMilestoneId, 'ProjectMilestone').projectId !== i.projectId)
    throw new UserErr('Discrepancy between issue project and milestone project');
}
function stateTimes(i) {
  const t = now(),
    ty = S.state.get(i.stateId).type;
  i.startedAt = ty === 'started' || ty === 'completed' ? i.startedAt || t : null;
  i.completedAt = ty === 'completed' ? i.completedAt || t : null;
  i.canceledAt = ['canceled', 'duplicate'].includes(ty) ? i.canceledAt || t : null;
}
function checkTitle(t) {
  if (!t || !t.trim()) throw new UserErr('Argument Validation Error', 'title should not be empty');
  if (t.length > 255) throw new UserErr('Argument Validation Error', 'title must be shorter than or equal to 255 characters.');
  return t;
}
function create(inp, ctx) {
  const team = need('team', inp.teamId, 'Team');
  if (inp.id != null && !UUID4.test(inp.id)) throw new UserErr('Argument Validation Error', 'id must be a UUID');
  if (inp.id && S.issue.has(inp.id))
    throw new UserErr(`conflict on insert of Issue: Entity Issue with id ${inp.id} already exists`, 'Conflict on insert');
  if (inp.stateId && need('state', inp.stateId, 'WorkflowState').teamId !== team.id)
    throw new UserErr('Discrepancy between issue team and state team');
  if (inp.assigneeId) need('user', inp.assigneeId, 'User');
  const parent = inp.parentId
    ? issueBy(inp.parentId) ||
      (() => {
        throw nf('Issue');
      })()
    : null;
  if (inp.priority != null && (inp.priority < 0 || inp.priority > 4))
    throw new UserErr('Argument Validation Error', 'priority must not be greater than 4');
  filed({ ...inp, teamId: team.id });
  const title = checkTitle(inp.title),
    labelIds = labelsOk(inp.labelIds || [], team.id),
    number = ++team.seq,
    identifier = `${team.key}-${number}`;
  const i = put(
    'issue',
    {
      id: inp.id || randomUUID(),
      number,
      identifier,
      teamId: team.id,
      title,
      description: md(inp.description ?? null),
      priority: inp.priority || 0,
      estimate: inp.estimate ?? null,
      stateId: inp.stateId || defState(team.id).id,
      assigneeId: inp.assigneeId || null,
      creatorId: ctx.user.id,
      labelIds,
      parentId: parent?.id || null,
      projectId: inp.projectId || null,
      projectMilestoneId: inp.projectMilestoneId || null,
      cycleId: inp.cycleId || null,
      dueDate: inp.dueDate || null,
      sortOrder: -number * 10,
      previousIdentifiers: [],
      trashed: null,
      url: `https://linear.app/acme/issue/${identifier}/${slug(title)}`,
      branchName: `user/${identifier.toLowerCase()}-${slug(title)}`,
      ...(inp.createdAt ? { createdAt: iso(Date.parse(inp.createdAt)) } : {}),
    },
    'Issue',
  );
  i.vis = Date.now() + OPT.lagMs;
  stateTimes(i);
  hook('Issue', 'create', i, ctx);
  return i;
}
function update(i, inp, ctx) {
  // A milestone stays behind in its project, a cycle in its team.
  if (inp.projectId !== undefined && inp.projectId !== i.projectId) inp = { projectMilestoneId: null, ...inp };
  if (inp.teamId && inp.teamId !== i.teamId) inp = { cycleId: null, ...inp };
  filed({ ...i, ...inp });
  const b = { ...i },
    ch = {};
  const set = (k, v) => {
    if (JSON.stringify(i[k]) !== JSON.stringify(v)) {
      ch[k] = b[k];
      i[k] = v;
    }
  };
  if (inp.title !== undefined && inp.title !== null) {
    set('title', checkTitle(inp.title));
    i.url = i.url.replace(/[^/]*$/, slug(i.title));
  }
  if (inp.description !== undefined) set('description', md(inp.description));
  if (inp.priority != null) {
    if (inp.priority < 0 || inp.priority > 4) throw new UserErr('Argument Validation Error', 'priority must not be greater than 4');
    set('priority', inp.priority);
  }
  for (const k of ['assigneeId', 'projectId', 'projectMilestoneId', 'cycleId', 'dueDate', 'estimate', 'sortOrder'])
    if (inp[k] !== undefined) {
      if (k === 'assigneeId' && inp[k]) need('user', inp[k], 'User');
      set(k, inp[k]);
    }
  if (inp.parentId !== undefined)
    set(
      'parentId',
      inp.parentId
        ? (
            issueBy(inp.parentId) ||
            (() => {
              throw nf('Issue');
            })()
          ).id
        : null,
    );
  if (inp.teamId && inp.teamId !== i.teamId) {
    const t = need('team', inp.teamId, 'Team');
    const ty = S.state.get(i.stateId).type;
    set('previousIdentifiers', [...i.previousIdentifiers, i.identifier]);
    set('teamId', t.id);
    set('number', ++t.seq);
    set('identifier', `${t.key}-${i.number}`);
    set('cycleId', null);
    set(
      'labelIds',
      i.labelIds.filter((l) => {
        const o = S.label.get(l);
        return !o.teamId;
      }),
    );
    if (!inp.stateId) set('stateId', ([...S.state.values()].find((s) => s.teamId === t.id && s.type === ty) || defState(t.id)).id);
    i.url = `https://linear.app/acme/issue/${i.identifier}/${slug(i.title)}`;
  }
  if (inp.stateId) {
    if (need('state', inp.stateId, 'WorkflowState').teamId !== i.teamId) throw new UserErr('Discrepancy between issue team and state team');
    set('stateId', inp.stateId);
    stateTimes(i);
  }
  if (inp.labelIds) set('labelIds', labelsOk(inp.labelIds, i.teamId));
  if (inp.addedLabelIds) set('labelIds', labelsOk([...i.labelIds, ...inp.addedLabelIds], i.teamId));
  if (inp.removedLabelIds)
    set(
      'labelIds',
      i.labelIds.filter((l) => !inp.removedLabelIds.includes(l)),
    );
  if (inp.trashed !== undefined) {
    set('trashed', inp.trashed || null);
    set('archivedAt', inp.trashed ? now() : null);
  }
  if (Object.keys(ch).length) touch(i, ch, 'Issue', ctx);
  return i;
}
function touch(o, ch, T, ctx, action = 'update') {
  ch.updatedAt = o.updatedAt;
  o.updatedAt = now();
  const prevVis = { ...o, ...ch };
  o.old = OPT.lagMs ? prevVis : undefined;
  o.vis = Date.now() + OPT.lagMs;
  S.sync++;
  hook(T, action, o, ctx, ch);
}
// ---- reading: comparators, filters, connections
const dur = (s) => {
  const m = /^(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(s);
  return m
    ? (m[1] ? -1 : 1) *
        ((+m[2] || 0) * 31536e6 +
          (+m[3] || 0) * 2592e6 +
          (+m[4] || 0) * 6048e5 +
          (+m[5] || 0) * 864e5 +
          (+m[6] || 0) * 36e5 +
          (+m[7] || 0) * 6e4 +
          (+m[8] || 0) * 1e3)
    : null;
};
const CMP = new Set([
  'eq',
  'neq',
  'in',
  'nin',
  'lt',
  'lte',
  'gt',
  'gte',
  'contains',
  'notContains',
  'containsIgnoreCase',
  'notContainsIgnoreCase',
  'startsWith',
  'notStartsWith',
  'endsWith',
  'notEndsWith',
  'eqIgnoreCase',
  'neqIgnoreCase',
  'null',
  'startsWithIgnoreCase',
  'containsIgnoreCaseAndAccent',
]);
const D = (v) =>
  typeof v === 'string' && dur(v) != null
    ? Date.now() + dur(v)
    : typeof v === 'string' && /^\d{4}/.test(v) && !isNaN(Date.parse(v))
      ? Date.parse(v)
      : v;
function cmp(v, c, isDate) {
  const n = (x) => (isDate ? D(x) : x),
    a = v == null ? v : n(v),
    low = (x) => String(x ?? '').toLowerCase();
  for (const [k, x] of Object.entries(c)) {
    if (x === undefined) continue;
    const ok = {
      eq: () => a === n(x),
      neq: () => a !== n(x),
      in: () => x.map(n).includes(a),
      nin: () => !x.map(n).includes(a),
      lt: () => a != null && a < n(x),
      lte: () => a != null && a <= n(x),
      gt: () => a != null && a > n(x),
      gte: () => a != null && a >= n(x),
      contains: () => String(v ?? '').includes(x),
      notContains: () => !String(v ?? '').includes(x),
      containsIgnoreCase: () => low(v).includes(low(x)),
      notContainsIgnoreCase: () => !low(v).includes(low(x)),
      startsWith: () => String(v ?? '').startsWith(x),
      notStartsWith: () => !String(v ?? '').startsWith(x),
      endsWith: () => String(v ?? '').endsWith(x),
      notEndsWith: () => !String(v ?? '').endsWith(x),
      eqIgnoreCase: () => low(v) === low(x),
      neqIgnoreCase: () => low(v) !== low(x),
      startsWithIgnoreCase: () => low(v).startsWith(low(x)),
      null: () => (v == null) === x,
    }[k];
    if (!ok) throw new UserErr(`linear-server: comparator ${k} not implemented`);
    if (!ok()) return false;
  }
  return true;
}
const REL = {
  team: ['teamId', 'team'],
  state: ['stateId', 'state'],
  assignee: ['assigneeId', 'user'],
  creator: ['creatorId', 'user'],
  project: ['projectId', 'project'],
  cycle: ['cycleId', 'cycle'],
  parent: ['parentId', 'issue'],
  issue: ['issueId', 'issue'],
  user: ['userId', 'user'],
};
const MANY = {
  labels: (o) => o.labelIds.map((l) => S.label.get(l)).filter(Boolean),
  comments: (o) => {
    const k = S.comment.size + ':' + S.sync;
    if (S.cix?.k !== k) {
      S.cix = { k, m: new Map() };
      for (const c of S.comment.values()) (S.cix.m.get(c.issueId) || S.cix.m.set(c.issueId, []).get(c.issueId)).push(c);
    }
    return S.cix.m.get(o.id) || [];
  },
  children: (o) => [...S.issue.values()].filter((c) => c.parentId === o.id),
  accessibleTeams: (o) => o.teamIds.map((t) => S.team.get(t)),
};
function match(o, f) {
  for (const [k, c] of Object.entries(f)) {
    if (c == null) continue;
    if (k === 'and') {
      if (!c.every((x) => match(o, x))) return false;
      continue;
    }
    if (k === 'or') {
      if (!c.some((x) => match(o, x))) return false;
      continue;
    }
    if (MANY[k]) {
      const L = MANY[k](o),
        { some, every, length, and, or, ...rest } = c;
      if (some && !L.some((x) => match(x, some))) return false;
      if (every && !L.every((x) => match(x, every))) return false;
      if (length && !cmp(L.length, length)) return false;
      if (Object.keys(rest).length && !L.some((x) => match(x, rest))) return false;
      continue;
    }
    if (REL[k] && !Object.keys(c).every((x) => CMP.has(x) && x !== 'null')) {
      const id = o[REL[k][0]],
        r = id ? S[REL[k][1]].get(id) : null,
        { null: nul, ...rest } = c;
      if (nul !== undefined && (r == null) !== nul) return false;
      if (Object.keys(rest).length && (!r || !match(r, rest))) return false;
      continue;
    }
    const isDate = /(At|Date)$/.test(k);
    if (!cmp(k === 'number' ? o.number : o[k], c, isDate)) return false;
  }
  return true;
}
const seen = (o) => (o.vis > Date.now() ? o.old : o); // eventual consistency for lists
function conn(list, a = {}) {
  if ((a.first ?? a.last ?? 50) > OPT.pageMax)
    throw new UserErr('Argument Validation Error', `first must not be greater than ${OPT.pageMax}`);
  let L = list.map(seen).filter(Boolean);
  if (!a.includeArchived) L = L.filter((o) => !o.archivedAt);
  if (a.filter) L = L.filter((o) => match(o, a.filter));
  const k = a.orderBy === 'updatedAt' ? 'updatedAt' : 'createdAt';
  L.sort((x, y) => (x[k] < y[k] ? 1 : x[k] > y[k] ? -1 : x.id < y.id ? 1 : -1));
  let s = 0,
    e = L.length;
  if (a.after) {
    const i = L.findIndex((o) => o.id === a.after);
    if (i < 0) throw new UserErr('Argument Validation Error', `after: cursor ${a.after} is not valid`);
    s = i + 1;
  }
  if (a.before) {
    const i = L.findIndex((o) => o.id === a.before);
    if (i >= 0) e = i;
  }
  if (a.last != null && a.first == null) s = Math.max(s, e - a.last);
  else e = Math.min(e, s + (a.first ?? 50));
  const P = L.slice(s, e);
  return {
    nodes: P,
    edges: P.map((node) => ({ node, cursor: node.id })),
    pageInfo: { hasNextPage: e < L.length, hasPreviousPage: s > 0, startCursor: P[0]?.id ?? null, endCursor: P.at(-1)?.id ?? null },
  };
}
const get = (k, id) => (id ? S[k].get(id) : null);
const related = (end, o, kind = 'relation') => [...S[kind].values()].filter((r) => r[end] === o.id);
const F = {
  Issue: {
    team: (o) => get('team', o.teamId),
    state: (o) => get('state', o.stateId),
    assignee: (o) => get('user', o.assigneeId),
    creator: (o) => get('user', o.creatorId),
    project: (o) => get('project', o.projectId),
    projectMilestone: (o) => get('milestone', o.projectMilestoneId),
    cycle: (o) => get('cycle', o.cycleId),
    parent: (o) => get('issue', o.parentId),
    labels: (o, a) => conn(MANY.labels(o), a),
    comments: (o, a) => conn(MANY.comments(o), a),
    children: (o, a) => conn(MANY.children(o), a),
    relations: (o, a) => conn(related('issueId', o), a),
    inverseRelations: (o, a) => conn(related('relatedIssueId', o), a),
    attachments: (o, a) => conn(related('issueId', o, 'attachment'), a),
    priorityLabel: (o) => ['No priority', 'Urgent', 'High', 'Medium', 'Low'][o.priority],
    prioritySortOrder: (o) => o.sortOrder,
    reactionData: () => ({}),
  },
  Team: {
    states: (o, a) =>
      conn(
        [...S.state.values()].filter((s) => s.teamId === o.id),
        a,
      ),
    labels: (o, a) =>
      conn(
        [...S.label.values()].filter((l) => l.teamId === o.id),
        a,
      ),
    issues: (o, a) =>
      conn(
        [...S.issue.values()].filter((i) => i.teamId === o.id),
        a,
      ),
    cycles: (o, a) =>
      conn(
        [...S.cycle.values()].filter((c) => c.teamId === o.id),
        a,
      ),
    projects: (o, a) =>
      conn(
        [...S.project.values()].filter((p) => p.teamIds.includes(o.id)),
        a,
      ),
    members: (o, a) => conn([...S.user.values()], a),
    defaultIssueState: (o) => defState(o.id),
    displayName: (o) => o.name,
    organization: () => S.org,
  },
  WorkflowState: {
    team: (o) => get('team', o.teamId),
    issues: (o, a) =>
      conn(
        [...S.issue.values()].filter((i) => i.stateId === o.id),
        a,
      ),
  },
  IssueLabel: { team: (o) => get('team', o.teamId), organization: () => S.org },
  Cycle: { team: (o) => get('team', o.teamId) },
  Comment: { issue: (o) => get('issue', o.issueId), user: (o) => get('user', o.userId), parent: (o) => get('comment', o.parentId) },
  User: {
    assignedIssues: (o, a) =>
      conn(
        [...S.issue.values()].filter((i) => i.assigneeId === o.id),
        a,
      ),
    createdIssues: (o, a) =>
      conn(
        [...S.issue.values()].filter((i) => i.creatorId === o.id),
        a,
      ),
    organization: () => S.org,
    isMe: (o, a, c) => o.id === c.user.id,
    teams: (o, a) => conn([...S.team.values()], a),
  },
  Project: {
    teams: (o, a) =>
      conn(
        o.teamIds.map((t) => S.team.get(t)),
        a,
      ),
    projectMilestones: (o, a) =>
      conn(
        [...S.milestone.values()].filter((m) => m.projectId === o.id),
        a,
      ),
  },
  Document: { project: (o) => get('project', o.projectId), issue: (o) => get('issue', o.issueId), creator: (o) => get('user', o.creatorId) },
  Attachment: { issue: (o) => get('issue', o.issueId) },
  IssueRelation: { issue: (o) => get('issue', o.issueId), relatedIssue: (o) => get('issue', o.relatedIssueId) },
  Webhook: { team: (o) => get('team', o.teamId), creator: (o) => get('user', o.creatorId) },
  Organization: { teams: (o, a) => conn([...S.team.values()], a), users: (o, a) => conn([...S.user.values()], a) },
};
const all = (k) => (_, a) => conn([...S[k].values()], a),
  one = (k, T) => (_, a) => need(k, a.id, T);
const pay = (k, o) => ({ success: true, lastSyncId: S.sync, [k]: o });
const Q = {
  viewer: (_, a, c) => c.user,
  organization: () => S.org,
  users: all('user'),
  user: (_, a, c) => (a.id === 'me' ? c.user : need('user', a.id, 'User')),
  teams: all('team'),
  team: (_, a) => [...S.team.values()].find((t) => t.key === a.id) || need('team', a.id, 'Team'),
  workflowStates: all('state'),
  workflowState: one('state', 'WorkflowState'),
  issues: all('issue'),
  issue: (_, a) =>
    issueBy(a.id) ||
    (() => {
      throw nf('Issue');
    })(),
  comments: all('comment'),
  comment: one('comment', 'Comment'),
  issueLabels: all('label'),
  issueLabel: one('label', 'IssueLabel'),
  projects: all('project'),
  project: one('project', 'Project'),
  documents: all('document'),
  document: one('document', 'Document'),
  cycles: all('cycle'),
  cycle: one('cycle', 'Cycle'),
  webhooks: (r, a, c) => {
    admin(c);
    return all('webhook')(r, a);
  },
  webhook: (r, a, c) => {
    admin(c);
    return need('webhook', a.id, 'Webhook');
  },
  rateLimitStatus: (_, a, c) => ({
    identifier: c.user.id,
    kind: 'api',
    limits: [
      { type: 'requests', allowedAmount: OPT.reqLimit, remainingAmount: c.b.req, requestedAmount: 1, period: 36e5, reset: c.b.reset },
      { type: 'complexity', allowedAmount: OPT.cxLimit, remainingAmount: c.b.cx, requestedAmount: c.cx, period: 36e5, reset: c.b.reset },
    ],
  }),
};
const admin = (c) => {
  if (!c.user.admin) throw new UserErr('Forbidden', 'You must be a workspace admin to interact with webhooks.', 'FORBIDDEN', 'forbidden');
};
const iss = (id) =>
  issueBy(id) ||
  (() => {
    throw nf('Issue');
  })();
function placed(o) {
  if (o.projectId) need('project', o.projectId, 'Project');
  if (o.issueId) o.issueId = iss(o.issueId).id;
  if (!o.projectId && !o.issueId) throw new UserErr('Argument Validation Error', 'exactly one of projectId, issueId must be set');
  return o;
}
function createDocument(inp, ctx) {
  if (inp.id && S.document.has(inp.id))
    throw new UserErr(`conflict on insert of Document: Entity Document with id ${inp.id} already exists`, 'Conflict on insert');
  const { projectId, issueId } = placed({ ...inp });
  const id = inp.id || randomUUID(),
    slugId = createHmac('sha256', 's').update(id).digest('hex').slice(0, 12);
  const o = put(
    'document',
    {
      id,
      slugId,
      title: checkTitle(inp.title),
      content: md(inp.content ?? ''),
      projectId: projectId || null,
      issueId: issueId || null,
      trashed: null,
      creatorId: ctx.user.id,
      url: `https://linear.app/acme/document/${slug(inp.title)}-${slugId}`,
    },
    'Document',
  );
  hook('Document', 'create', o, ctx);
  return o;
}
function updateDocument(o, inp, ctx) {
  const next = placed({ ...o, ...inp });
  if (inp.content !== undefined) next.content = md(inp.content);
  if (inp.title != null) checkTitle(inp.title);
  if (inp.trashed !== undefined) next.archivedAt = inp.trashed ? now() : null;
  const ch = Object.fromEntries(Object.keys(inp).map((k) => [k, o[k]]));
  for (const k of ['title', 'content', 'projectId', 'issueId', 'trashed', 'archivedAt']) o[k] = next[k] ?? null;
  touch(o, ch, 'Document', ctx);
  return o;
}
function archive(i, trash, ctx) {
  const ch = { archivedAt: i.archivedAt, trashed: i.trashed };
  i.archivedAt = now();
  if (trash) i.trashed = true;
  touch(i, ch, 'Issue', ctx, trash ? 'remove' : 'update');
  return pay('entity', i);
}
const M = {
  issueCreate: (_, { input }, c) => pay('issue', create(input, c)),
  issueUpdate: (_, { id, input }, c) => pay('issue', update(iss(id), input, c)),
  issueBatchCreate: (_, { input }, c) => {
    const issues = input.issues.map((x) => create(x, c));
    return { success: true, lastSyncId: S.sync, issues };
  },
  issueBatchUpdate: (_, { ids, input }, c) => {
    if (ids.length > 50) throw new UserErr('Argument Validation Error', "Can't update more than 50 issues at a time");
    return { success: true, lastSyncId: S.sync, issues: ids.map((i) => update(iss(i), input, c)) };
  },
  issueDelete: (_, { id, permanentlyDelete }, c) => {
    const i = iss(id);
    if (permanentlyDelete) {
      admin(c);
      S.issue.delete(i.id);
      hook('Issue', 'remove', i, c);
      return pay('entity', i);
    }
    return archive(i, true, c);
  },
  issueArchive: (_, { id, trash }, c) => archive(iss(id), trash, c),
  issueUnarchive: (_, { id }, c) => {
    const i = iss(id);
    touch(i, { archivedAt: i.archivedAt, trashed: i.trashed, ...((i.archivedAt = i.trashed = null), {}) }, 'Issue', c, 'update');
    return pay('entity', i);
  },
  issueAddLabel: (_, { id, labelId }, c) => pay('issue', update(iss(id), { addedLabelIds: [labelId] }, c)),
  issueRemoveLabel: (_, { id, labelId }, c) => pay('issue', update(iss(id), { removedLabelIds: [labelId] }, c)),
  // Whether a relation touches its issues' time is not documented: here it does not.
  issueRelationCreate: (_, { input }, c) => {
    const [issueId, relatedIssueId] = [iss(input.issueId).id, iss(input.relatedIssueId).id];
    if (issueId === relatedIssueId) throw new UserErr('Argument Validation Error', 'an issue cannot be related to itself');
    return pay('issueRelation', put('relation', { id: input.id || randomUUID(), issueId, relatedIssueId, type: input.type }, 'IssueRelation'));
  },
  issueRelationDelete: (_, { id }, c) => {
    const o = need('relation', id, 'IssueRelation');
    S.relation.delete(id);
    return pay('entity', o);
  },
  documentCreate: (_, { input }, c) => pay('document', createDocument(input, c)),
  documentUpdate: (_, { id, input }, c) => pay('document', updateDocument(need('document', id, 'Document'), input, c)),
  documentDelete: (_, { id }, c) => {
    const o = need('document', id, 'Document');
    touch(o, { archivedAt: o.archivedAt, trashed: o.trashed, ...((o.archivedAt = now()), (o.trashed = true), {}) }, 'Document', c, 'remove');
    return pay('entity', o);
  },
  projectUpdate: (_, { id, input }, c) => {
    const o = need('project', id, 'Project');
    const ch = {};
    for (const k of ['name', 'content']) if (input[k] != null) (ch[k] = o[k]), (o[k] = k === 'content' ? md(input[k]) : input[k]);
    touch(o, ch, 'Project', c);
    return pay('project', o);
  },
  // An issue has each address once; linking one again updates what is there.
  attachmentLinkURL: (_, { issueId, url, id, title }, c) => {
    const i = iss(issueId);
    if (!/^[a-z]+:\/\/[^/]/.test(url)) throw new UserErr('Argument Validation Error', 'url must be a URL address');
    const known = related('issueId', i, 'attachment').find((o) => o.url === url);
    if (known) return pay('attachment', known);
    const o = put('attachment', { id: id || randomUUID(), issueId: i.id, url, title: title || url, creatorId: c.user.id, metadata: {} }, 'Attachment');
    touch(i, {}, 'Issue', c);
    return pay('attachment', o);
  },
  attachmentDelete: (_, { id }, c) => {
    const o = need('attachment', id, 'Attachment');
    S.attachment.delete(id);
    touch(S.issue.get(o.issueId), {}, 'Issue', c);
    return { success: true, lastSyncId: S.sync, entityId: id };
  },
  commentCreate: (_, { input }, c) => {
    const i = iss(input.issueId);
    if (input.id && S.comment.has(input.id))
      throw new UserErr(`conflict on insert of Comment: Entity Comment with id ${input.id} already exists`, 'Conflict on insert');
    const o = put(
      'comment',
      {
        id: input.id || randomUUID(),
        body: md(input.body || ''),
        issueId: i.id,
        userId: c.user.id,
        parentId: input.parentId || null,
        editedAt: null,
        url: `${i.url}#comment-${randomUUID().slice(0, 8)}`,
      },
      'Comment',
    );
    o.vis = Date.now() + OPT.lagMs;
    o.old = undefined;
    S.sync++;
    hook('Comment', 'create', o, c);
    if (OPT.commentBumpsIssue) i.updatedAt = now();
    return pay('comment', o);
  },
  commentUpdate: (_, { id, input }, c) => {
    const o = need('comment', id, 'Comment');
    const ch = { body: o.body, editedAt: o.editedAt };
    o.body = md(input.body ?? o.body);
    o.editedAt = now();
    touch(o, ch, 'Comment', c);
    return pay('comment', o);
  },
  commentDelete: (_, { id }, c) => {
    const o = need('comment', id, 'Comment');
    S.comment.delete(id);
    hook('Comment', 'remove', o, c);
    return { success: true, lastSyncId: ++S.sync, entityId: id };
  },
  issueLabelCreate: (_, { input }, c) => {
    for (const l of S.label.values())
      if (l.name.toLowerCase() === input.name.toLowerCase() && (l.teamId === (input.teamId || null) || !l.teamId))
        throw new UserErr('duplicate label name', 'A label with this name already exists.');
    if (input.id && S.label.has(input.id))
      throw new UserErr(`conflict on insert of IssueLabel: Entity IssueLabel with id ${input.id} already exists`);
    const o = put(
      'label',
      {
        id: input.id || randomUUID(),
        name: input.name,
        color: input.color || '#bec2c8',
        description: input.description ?? null,
        teamId: input.teamId || null,
      },
      'IssueLabel',
    );
    hook('IssueLabel', 'create', o, c);
    return pay('issueLabel', o);
  },
  webhookCreate: (_, { input }, c) => {
    admin(c);
    if (!input.allPublicTeams === !input.teamId)
      throw new UserErr('Argument Validation Error', 'Either teamId or allPublicTeams must be set');
    return pay(
      'webhook',
      put(
        'webhook',
        {
          id: input.id || randomUUID(),
          enabled: input.enabled ?? true,
          url: input.url,
          label: input.label || null,
          resourceTypes: input.resourceTypes,
          allPublicTeams: !!input.allPublicTeams,
          teamId: input.teamId || null,
          secret: input.secret || randomUUID().replace(/-/g, ''),
          creatorId: c.user.id,
        },
        'Webhook',
      ),
    );
  },
  webhookUpdate: (_, { id, input }, c) => {
    admin(c);
    return pay('webhook', Object.assign(need('webhook', id, 'Webhook'), input));
  },
  webhookDelete: (_, { id }, c) => {
    admin(c);
    S.webhook.delete(id);
    return { success: true, lastSyncId: S.sync, entityId: id };
  },
};
// ---- generic resolver: explicit resolver > own property > typed default for non-null fields
function dflt(t) {
  if (!isNonNullType(t)) return null;
  t = t.ofType;
  if (isListType(t)) return [];
  t = getNamedType(t);
  if (isEnumType(t)) return t.getValues()[0].value;
  if (isScalarType(t))
    return { Int: 0, Float: 0, Boolean: false, ID: randomUUID(), DateTime: iso(), JSONObject: {}, JSON: '{}' }[t.name] ?? '';
  if (t.name.endsWith('Connection')) return { nodes: [], edges: [], pageInfo: { hasNextPage: false, hasPreviousPage: false } };
  return {};
}
function fieldResolver(src, args, ctx, info) {
  const T = info.parentType.name,
    f = info.fieldName;
  const r = (T === 'Query' ? Q : T === 'Mutation' ? M : F[T] || {})[f];
  if (r) return r(src, args, ctx);
  if (T === 'Query' || T === 'Mutation')
    throw new UserErr(`linear-server: ${T}.${f} is valid Linear but not implemented here`, undefined, 'NOT_IMPLEMENTED');
  const v = src?.[f];
  return v !== undefined ? v : dflt(info.returnType);
}
for (const s of ['DateTime', 'DateTimeOrDuration', 'TimelessDate', 'TimelessDateOrDuration']) {
  const t = schema.getType(s);
  const chk = (v) => {
    if (typeof v !== 'string' || !(dur(v) != null || !isNaN(Date.parse(v)))) throw new GraphQLError(`Expected ${s} in ISO 8601, got ${v}`);
    return v;
  };
  t.parseValue = chk;
  t.parseLiteral = (n) => chk(n.value);
}
// documented complexity: property 0.1, object 1, connection multiplies children by first (default 50); round up
function complexity(doc, vars) {
  const frags = Object.fromEntries(doc.definitions.filter((d) => d.kind === 'FragmentDefinition').map((d) => [d.name.value, d]));
  const ti = (type, set) => {
    let c = 0;
    for (const s of set.selections) {
      if (s.kind === 'FragmentSpread') {
        const d = frags[s.name.value];
        c += ti(schema.getType(d.typeCondition.name.value), d.selectionSet);
        continue;
      }
      if (s.kind === 'InlineFragment') {
        c += ti(s.typeCondition ? schema.getType(s.typeCondition.name.value) : type, s.selectionSet);
        continue;
      }
      const fd = type.getFields?.()[s.name.value];
      if (!fd) continue;
      const nt = getNamedType(fd.type);
      if (!s.selectionSet) {
        c += 0.1;
        continue;
      }
      if (nt.name.endsWith('Connection')) {
        const a = Object.fromEntries(
          (s.arguments || []).map((x) => [x.name.value, x.value.kind === 'Variable' ? vars?.[x.value.name.value] : +x.value.value]),
        );
        const n = a.first ?? a.last ?? 50;
        let inner = 0;
        for (const k of s.selectionSet.selections) {
          const kf = nt.getFields()[k.name?.value];
          if (!kf || !k.selectionSet || k.name.value === 'pageInfo') continue;
          let kt = getNamedType(kf.type),
            ks = k.selectionSet;
          if (k.name.value === 'edges') {
            const nn = ks.selections.find((x) => x.name?.value === 'node');
            if (!nn) continue;
            kt = getNamedType(kt.getFields().node.type);
            ks = nn.selectionSet;
          }
          inner = Math.max(inner, 1 + ti(kt, ks));
        }
        c += n * (inner || 1);
      } else c += (nt.name === 'PageInfo' || /Payload$/.test(nt.name) ? 0 : 1) + ti(nt, s.selectionSet);
    }
    return c;
  };
  let m = 0;
  for (const d of doc.definitions)
    if (d.kind === 'OperationDefinition')
      m = Math.max(m, ti(d.operation === 'query' ? schema.getQueryType() : schema.getMutationType(), d.selectionSet));
  return Math.ceil(Math.round(m * 1e6) / 1e6);
}
// ---- webhooks
function hook(T, action, o, ctx, updatedFrom) {
  const teamId = o.teamId ?? S.issue.get(o.issueId)?.teamId;
  const { vis, old, __typename, ...data } = o;
  if (T === 'Issue') {
    data.labels = MANY.labels(o).map((l) => ({ id: l.id, name: l.name, color: l.color }));
    const s = S.state.get(o.stateId),
      t = S.team.get(o.teamId);
    data.state = { id: s.id, name: s.name, type: s.type, color: s.color };
    data.team = { id: t.id, key: t.key, name: t.name };
    data.subscriberIds = [];
    data.priorityLabel = F.Issue.priorityLabel(o);
  }
  for (const w of S.webhook.values()) {
    if (!w.enabled || !w.resourceTypes.includes(T) || (w.teamId && w.teamId !== teamId)) continue;
    const u = ctx.user;
    const ev = {
      w,
      T,
      delivery: randomUUID(),
      body: {
        action,
        actor: u && { id: u.id, type: 'user', name: u.name, email: u.email, url: u.url },
        createdAt: o.updatedAt,
        data,
        url: o.url,
        type: T,
        organizationId: S.org.id,
        ...(updatedFrom ? { updatedFrom } : {}),
        webhookId: w.id,
      },
    };
    bus.hold ? bus.q.push(ev) : deliver(ev, 0);
  }
}
async function deliver(ev, attempt) {
  const body = JSON.stringify({ ...ev.body, webhookTimestamp: Date.now() });
  let status = 0;
  try {
    const r = await fetch(ev.w.url, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(5000),
      headers: {
        'Accept-Charset': 'utf-8',
        'Content-Type': 'application/json; charset=utf-8',
        'Linear-Delivery': ev.delivery,
        'Linear-Event': ev.T,
        'Linear-Timestamp': String(Date.now()),
        'Linear-Signature': createHmac('sha256', ev.w.secret).update(body).digest('hex'),
        'User-Agent': 'Linear-Webhook',
      },
    });
    status = r.status;
  } catch (e) {
    status = String(e.name);
  }
  HOOKLOG.push({ delivery: ev.delivery, type: ev.T, action: ev.body.action, attempt, status });
  if (status !== 200 && attempt < 3) setTimeout(() => deliver(ev, attempt + 1), [6e4, 36e5, 216e5][attempt] * OPT.timeScale);
}
// ---- http
const send = (res, code, obj, h = {}) => {
  const b = JSON.stringify(obj);
  res.writeHead(code, { 'content-type': 'application/json; charset=utf-8', ...h });
  res.end(b);
};
const gerr = (message, code, type, http = 400) => ({
  errors: [{ message, extensions: { type, code, statusCode: http, userError: true, userPresentableMessage: message, meta: {} } }],
});
http
  .createServer(async (req, res) => {
    const chunks = [];
    for await (const c of req) chunks.push(c);
    const raw = Buffer.concat(chunks).toString();
    const url = new URL(req.url, 'http://x');
    let j = {};
    try {
      j = raw ? JSON.parse(raw) : {};
    } catch {
      return send(res, 400, gerr('Invalid JSON', 'BAD_USER_INPUT', 'graphql error'));
    }
    if (url.pathname.startsWith('/_double/')) {
      const p = url.pathname.slice(9);
      const act = { user: S.user.get(j.as || DEF.users[1][0]) };
      try {
        const r = {
          reset: () => (reset(), {}),
          opt: () => Object.assign(OPT, j),
          faults: () => ((FAULTS = j.faults || []), { n: FAULTS.length }),
          log: () => LOG,
          hooks: () => HOOKLOG,
          state: () => ({
            issues: [...S.issue.values()].map(({ old, vis, ...o }) => o),
            comments: [...S.comment.values()],
            labels: [...S.label.values()],
            states: [...S.state.values()],
            teams: [...S.team.values()],
          }),
          edit: () => update(iss(j.id), j.input, act),
          create: () => create(j.input, act),
          document: () => (j.id ? updateDocument(need('document', j.id, 'Document'), j.input, act) : createDocument(j.input, act)),
          project: () => M.projectUpdate(null, { id: j.id, input: j.input }, act).project,
          attach: () => M.attachmentLinkURL(null, j.input, act).attachment,
          comment: () => M.commentCreate(null, { input: j.input }, act).comment,
          purge: () => (S.issue.delete(iss(j.id).id), {}),
          hold: () => ((bus.hold = true), {}),
          release: () => {
            bus.hold = false;
            let q = bus.q.splice(0);
            if (j.order === 'reverse') q.reverse();
            if (j.duplicate) q = q.flatMap((e) => [e, e]);
            if (j.drop) q = q.filter((_, i) => i % j.drop);
            (async () => {
              for (const e of q) await deliver(e, 3);
            })();
            return { n: q.length };
          },
        }[p]?.();
        return r ? send(res, 200, r) : send(res, 404, {});
      } catch (e) {
        return send(res, 400, { error: String(e.message), ext: e.extensions });
      }
    }
    if (url.pathname !== '/graphql') return send(res, 404, { error: 'Not Found' });
    const auth = req.headers.authorization || '';
    if (/^Bearer\s+lin_api_/i.test(auth))
      return send(
        res,
        400,
        gerr(
          "It looks like you're trying to use an API key as a Bearer token. Remove the Bearer prefix from the Authorization header.",
          'INPUT_ERROR',
          'invalid input',
        ),
      );
    const tok = auth.replace(/^Bearer\s+/i, '');
    if (!(tok in DEF.tokens))
      return send(res, 401, gerr('Authentication required, not authenticated', 'AUTHENTICATION_ERROR', 'authentication error', 401));
    if (tok.startsWith('lin_oauth') && !/^Bearer /i.test(auth))
      return send(res, 401, gerr('Authentication required, not authenticated', 'AUTHENTICATION_ERROR', 'authentication error', 401));
    const user = S.user.get(DEF.users[DEF.tokens[tok]][0]);
    const b = (BUDGET[user.id] ??= { req: OPT.reqLimit, cx: OPT.cxLimit, reset: Date.now() + 36e5 * OPT.timeScale });
    if (Date.now() >= b.reset) Object.assign(b, { req: OPT.reqLimit, cx: OPT.cxLimit, reset: Date.now() + 36e5 * OPT.timeScale });
    let doc,
      cx = 0;
    const H = () => ({
      'x-complexity': cx,
      'x-ratelimit-requests-limit': OPT.reqLimit,
      'x-ratelimit-requests-remaining': Math.max(0, b.req),
      'x-ratelimit-requests-reset': b.reset,
      'x-ratelimit-complexity-limit': OPT.cxLimit,
      'x-ratelimit-complexity-remaining': Math.max(0, b.cx),
      'x-ratelimit-complexity-reset': b.reset,
      'x-request-id': randomUUID(),
    });
    try {
      doc = parse(j.query || '');
    } catch (e) {
      return send(res, 400, { errors: [{ message: e.message, extensions: { code: 'GRAPHQL_PARSE_FAILED', type: 'graphql error' } }] }, H());
    }
    const errs = validate(schema, doc);
    const opName =
      doc.definitions
        .find((d) => d.kind === 'OperationDefinition')
        ?.selectionSet.selections.map((s) => s.name?.value)
        .join(',') || '?';
    const rec = { t: Date.now(), user: user.name, op: opName, vars: j.variables, invalid: errs.map((e) => e.message) };
    LOG.push(rec);
    if (errs.length)
      return send(
        res,
        400,
        {
          errors: errs.map((e) => ({
            message: e.message,
            locations: e.locations,
            extensions: { code: 'GRAPHQL_VALIDATION_FAILED', type: 'graphql error', userError: true },
          })),
        },
        H(),
      );
    cx = rec.cx = complexity(doc, j.variables);
    if (cx > OPT.maxQueryCx) {
      rec.rejected = 'complexity';
      return send(res, 400, gerr(`Query too complex: ${cx} > ${OPT.maxQueryCx}`, 'INPUT_ERROR', 'invalid input'), H());
    }
    b.req--;
    b.cx -= cx;
    if (b.req < 0 || b.cx < 0) {
      rec.rejected = 'ratelimited';
      return send(
        res,
        OPT.rateStatus,
        gerr('Rate limit exceeded. Only ' + OPT.reqLimit + ' requests are allowed per 1 hour.', 'RATELIMITED', 'ratelimited', 429),
        H(),
      );
    }
    const fi = FAULTS.findIndex(
      (f) => (f.times ?? 1) > 0 && (!f.match || new RegExp(f.match).test(opName)) && (f.skip ? f.skip-- <= 0 : true),
    );
    const f = fi >= 0 ? FAULTS[fi] : null;
    if (f) {
      f.times = (f.times ?? 1) - 1;
      rec.fault = f.mode;
      if (f.mode === '502') return send(res, 502, { error: 'Bad Gateway' });
      if (f.mode === 'html503') {
        res.writeHead(503, { 'content-type': 'text/html' });
        return res.end('<html>Service Unavailable</html>');
      }
      if (f.mode === 'drop-before') return req.socket.destroy();
      if (f.mode === 'ratelimited')
        return send(res, OPT.rateStatus, gerr('Rate limit exceeded', 'RATELIMITED', 'ratelimited', 429), {
          ...H(),
          'retry-after': String(f.retryAfter ?? 2),
        });
      if (f.mode === 'phantom-conflict') {
        const id = j.variables?.input?.id || randomUUID();
        return send(
          res,
          200,
          { data: null, ...gerr(`conflict on insert of Issue: Entity Issue with id ${id} already exists`, 'INPUT_ERROR', 'invalid input') },
          H(),
        );
      }
      if (f.mode === 'slow') await new Promise((r) => setTimeout(r, f.ms ?? 3000));
      if (f.mode === 'internal')
        return send(res, 200, { data: null, ...gerr('Internal server error', 'INTERNAL_SERVER_ERROR', 'internal error', 500) }, H());
    }
    const out = await execute({
      schema,
      document: doc,
      contextValue: { user, b, cx },
      variableValues: j.variables,
      operationName: j.operationName,
      fieldResolver,
      typeResolver: (o) => o.__typename,
    });
    rec.errors = out.errors?.map((e) => e.message);
    if (f?.mode === 'drop-after') return req.socket.destroy();
    if (f?.mode === '504-after') return send(res, 504, { error: 'Gateway Timeout' });
    send(res, out.errors && !out.data ? 400 : 200, out, H());
  })
  .listen(PORT, '127.0.0.1', () => console.log(`linear-server on http://127.0.0.1:${PORT}/graphql`));
reset();
