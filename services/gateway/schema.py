"""The tables of the job store, as the latest revision in `migrations` leaves them.

Documents are the messages of the API; columns exist only for what is searched, summed or compared.
"""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA = sa.MetaData()

jobs = sa.Table(
    "jobs",
    SCHEMA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("request_id", sa.String(128), unique=True, nullable=True),
    sa.Column("state", sa.Integer, nullable=False),
    sa.Column("speech_key", sa.String(64), nullable=False, index=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
    # Whether somebody wants it cancelled.
    sa.Column("called_off", sa.Boolean, nullable=False, server_default=sa.false()),
    # When it ended, in seconds since 1970.
    sa.Column("finished", sa.Float, nullable=True, index=True),
    # Seconds to the end that were expected when it was accepted; 0: nobody knew.
    sa.Column("promised", sa.Float, nullable=False, server_default="0"),
    # Artifacts that it names.
    sa.Column("audio", sa.String(64), nullable=False, server_default="", index=True),
    sa.Column("avatar", sa.String(64), nullable=False, server_default="", index=True),
    sa.Column("video", sa.String(64), nullable=False, server_default="", index=True),
    sa.Column("vtt", sa.String(64), nullable=False, server_default="", index=True),
    sa.Column("srt", sa.String(64), nullable=False, server_default="", index=True),
    sa.Column("poster", sa.String(64), nullable=False, server_default="", index=True),
    # On whose behalf it was submitted; empty while the gateway asks nobody.
    sa.Column("tenant", sa.String(64), nullable=False, server_default=""),
    # The context that its trace began in: headers as JSON; empty: nobody traced.
    sa.Column("trace", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_jobs_state_id", "state", "id"),
    sa.Index("ix_jobs_tenant_id", "tenant", "id"),
)

# Who has sent an asset. The same content may have been sent by several.
assets = sa.Table(
    "assets",
    SCHEMA,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.String(64), primary_key=True),
)

sentences = sa.Table(
    "sentences",
    SCHEMA,
    sa.Column("job_id", sa.String(32), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("pcm", sa.String(64), nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    # Where it ends in the speech.
    sa.Column("samples", sa.BigInteger, nullable=False, server_default="0"),
)

chunks = sa.Table(
    "chunks",
    SCHEMA,
    sa.Column("job_id", sa.String(32), primary_key=True),
    sa.Column("attempt", sa.String(16), primary_key=True),
    sa.Column("state", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("speech", sa.String(64), nullable=False),
    sa.Column("codec", sa.String(64), nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    # Frames of the artifact before and after those of the chunk.
    sa.Column("skip", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("rest", sa.BigInteger, nullable=False, server_default="0"),
)

events = sa.Table(
    "events",
    SCHEMA,
    sa.Column("job_id", sa.String(32), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
)

segments = sa.Table(
    "segments",
    SCHEMA,
    sa.Column("job_id", sa.String(32), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("media", sa.String(64), nullable=False),
    sa.Column("init", sa.String(64), nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
)

rendered = sa.Table(
    "rendered",
    SCHEMA,
    sa.Column("recipe", sa.String(64), primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True),
    sa.Column("end", sa.BigInteger, primary_key=True),
    sa.Column("speech", sa.String(64), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("codec", sa.String(64), nullable=False),
    sa.Column("used", sa.Float, nullable=False, index=True),
    sa.Column("skip", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("rest", sa.BigInteger, nullable=False, server_default="0"),
)

# Sentences by what makes their sound; their times count from their own start.
spoken = sa.Table(
    "spoken",
    SCHEMA,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("pcm", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Column("used", sa.Float, nullable=False, index=True),
)

# What became of jobs, in seconds and frames; outlives the jobs themselves.
history = sa.Table(
    "history",
    SCHEMA,
    sa.Column("job_id", sa.String(32), primary_key=True),
    sa.Column("finished", sa.Float, nullable=False, index=True),
    sa.Column("state", sa.Integer, nullable=False),
    sa.Column("engine", sa.String(64), nullable=False),
    sa.Column("promised", sa.Float, nullable=False),
    sa.Column("took", sa.Float, nullable=False),
    sa.Column("video_seconds", sa.Float, nullable=False),
    sa.Column("worker_seconds", sa.Float, nullable=False),
    sa.Column("wasted_seconds", sa.Float, nullable=False),
    sa.Column("frames", sa.BigInteger, nullable=False),
    sa.Column("cached_frames", sa.BigInteger, nullable=False),
)

# Jobs whose end somebody is still to be told of: when, and how often that was tried.
callbacks = sa.Table(
    "callbacks",
    SCHEMA,
    sa.Column("job_id", sa.String(32), primary_key=True),
    sa.Column("due", sa.Float, nullable=False, index=True),
    sa.Column("tries", sa.Integer, nullable=False),
)

# One row: who leads. Renewals leave the key alone, so that they pass those who only look at the epoch.
lease = sa.Table(
    "lease",
    SCHEMA,
    sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("holder", sa.String(64), nullable=False),
    # The database's clock at the last renewal, in seconds since 1970; 0: nobody leads.
    sa.Column("beat", sa.Float, nullable=False),
    # What the leader last told of its plans, as JSON.
    sa.Column("outlook", sa.LargeBinary, nullable=False),
)
