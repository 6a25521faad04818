%% Resolves the configuration of `version` as its start would, with its own code, into `to`.
%%
%% Run in a short-lived VM that RELEASE_VSN=VERSION has started. mix names the providers in the
%% configuration itself, under elixir's config_provider_init (Elixir: Config.Provider.init/3), and
%% boots with config_provider_init's own boot/1; each is asked here the same way. The answer holds
%% secrets, so it is never printed: it goes to a file that none but this user reads.
%%
%% relx has a sys.config.src, whose ${NAME} and ${NAME:-default} its script fills in from the
%% environment, wherever they stand (relx: extended_bin, replace_os_vars). RELX_CONFIG_PATH is the
%% user's own file.
#{root := Root, version := Version, to := To} = Args,
Fill = fun Fill(Text, Left) ->
    case re:run(Text, "\\$\\{([^}\n]*)\\}", [{capture, all, binary}]) of
        {match, [Whole, Inner]} when Left > 0 ->
            {Name, Default} =
                case binary:split(Inner, <<":-">>) of
                    [N, D] -> {N, D};
                    [N] -> {N, <<>>}
                end,
            Given = unicode:characters_to_binary(os:getenv(unicode:characters_to_list(Name), "")),
            Value =
                case Given of
                    <<>> -> Default;
                    _ -> Given
                end,
            Fill(binary:replace(Text, Whole, Value, [global]), Left - 1);
        _ ->
            Text
    end
end,
Place = filename:join([Root, "releases", Version, "sys.config"]),
{ok, [Base]} =
    case file:read_file(os:getenv("RELX_CONFIG_PATH", Place) ++ ".src") of
        {ok, Source} ->
            Filled = unicode:characters_to_list(Fill(Source, 10000)),
            {ok, FilledTokens, _} = erl_scan:string(Filled),
            {ok, Term} = erl_parse:parse_term(FilledTokens),
            {ok, [Term]};
        {error, enoent} ->
            file:consult(os:getenv("RELX_CONFIG_PATH", Place))
    end,
Init = proplists:get_value(config_provider_init, proplists:get_value(elixir, Base, [])),
Resolved =
    case Init of
        #{providers := Providers} ->
            lists:foldl(fun({M, State}, Config) -> M:load(Config, State) end, Base, Providers);
        undefined ->
            Base
    end,
Text = unicode:characters_to_binary(io_lib:format("%% coding: utf-8~n~tw.~n", [Resolved])),
ok = file:write_file(To, <<>>),
ok = file:change_mode(To, 8#600),
ok = file:write_file(To, Text),
%% A fun or a pid in a configuration cannot be written and read again.
case file:consult(To) of
    {ok, [Resolved]} ->
        ok;
    _ ->
        Bad = [
            {App, Key}
         || {App, Env} <- Resolved,
            {Key, Value} <- Env,
            begin
                Line = lists:flatten(io_lib:format("~tw.", [Value])),
                case erl_scan:string(Line) of
                    {ok, Tokens, _} -> erl_parse:parse_term(Tokens) =/= {ok, Value};
                    _ -> true
                end
            end
        ],
        file:delete(To),
        {unwritable, Bad}
end.
