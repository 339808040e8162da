"""Request bodies through the router: every byte arrives, warm and through a cold start, whatever the function reads."""

import itertools

import pytest

from cluster import uploads
from cluster.uploads import FORMS, READS, connect, data, upload
from cluster.waiting import eventually

SIZES = (262_144, 262_145, 300_000, 1_000_000)
SPEC = "handler: main:{form}\nconcurrency: 64\nscale:\n  max: 1\n"


@pytest.fixture(scope="module")
def router(launch, tmp_path_factory):
    """`wick up` with a function for each form."""
    folder = tmp_path_factory.mktemp("bodies")
    for form in FORMS:
        indented = "".join(f"        {line}\n" for line in uploads.CODE.splitlines())
        spec = "".join(f"  {line}\n" for line in SPEC.format(form=form).splitlines())
        (folder / f"{form}.yaml").write_text(
            f"apiVersion: kubewick.dev/v1alpha1\nkind: Function\nmetadata:\n  name: {form.replace('_', '-')}\nspec:\n"
            f"{spec}  source:\n    inline:\n      main.py: |\n{indented}"
        )
    with launch(folder) as up:
        yield up


@pytest.mark.parametrize("form", FORMS)
async def test_bodies_arrive_whole_through_a_cold_start_and_connections_are_kept(router, form):
    prefix = f"/function/default/{form.replace('_', '-')}"
    cases = list(itertools.product(READS, SIZES, (0, 0.1)))

    async def forty(number):
        client = await connect(router.port, prefix)
        for size in (1 << 20, 65_537):
            await upload(client, "/all/0.05", data(size, number), chunked=bool(number % 2))
        await client.close()

    async def two_requests(number):
        what, size, seconds = cases[number]
        client = await connect(router.port, prefix)
        kept = await upload(client, f"/{what}/{seconds}", data(size), chunked=bool(number % 2))
        if not kept:  # RFC 9112, 9.3: an answer that came before the end of the body may close the connection
            assert what != "all"
            await client.close()
            client = await connect(router.port, prefix)
        await upload(client, "/all/0", b"next")
        await client.close()

    await uploads.together(40, forty)  # the first of them start the instance
    await uploads.together(len(cases), two_requests)
    eventually(lambda: uploads.half_closed(uploads.family(router.process.pid)) == 0)
