%% Makes `version` the one that every later start boots.
%%
%% First what repairs RELEASES if OTP's own write is cut short, then make_permanent, which writes
%% RELEASES and start_erl.data in place. Its purges are the relup's, which are soft.
#{version := Version, root := Root} = Args,
Folder = filename:join(Root, "releases"),
{ok, [Known]} = file:consult(filename:join(Folder, "RELEASES")),
After = [
    case Release of
        {release, N, V, E, L, _} when V =:= Version -> {release, N, V, E, L, permanent};
        {release, N, V, E, L, _} -> {release, N, V, E, L, old}
    end
 || Release <- Known
],
true = lists:keymember(Version, 3, After),
Keep = fun(File, Text) ->
    {ok, Device} = file:open(File ++ ".new", [write, binary, raw]),
    ok = file:write(Device, Text),
    ok = file:sync(Device),
    ok = file:close(Device),
    ok = file:rename(File ++ ".new", File)
end,
case [S || {_, V, _, S} <- release_handler:which_releases(), V =:= Version] of
    [S] when S =:= current; S =:= permanent ->
        case S of
            %% A version that was permanent before has its own, from when it was confirmed.
            current ->
                Own = filename:join([Folder, Version, "RELEASES"]),
                Keep(Own, unicode:characters_to_binary(io_lib:format("%% coding: utf-8~n~tp.~n", [After])));
            _ ->
                ok
        end,
        case release_handler:make_permanent(Version) of
            ok ->
                Keep(filename:join([Root, ".imagesmith", "permanent"]), [Version, $\n]),
                ok;
            {error, Reason} ->
                {refused, unicode:characters_to_binary(io_lib:format("~tp", [Reason]))}
        end;
    Other ->
        {refused, unicode:characters_to_binary(io_lib:format("it is ~tp, not current", [Other]))}
end.
