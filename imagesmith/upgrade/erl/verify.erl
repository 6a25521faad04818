%% Whether the running node is `version`: its environment, its code, its consolidated protocols.
%%
%% `config` is the file of the resolved configuration, `libs` are the folders of the changed
%% applications. Answers what is wrong, as [{Kind, What}]; values are never told: they are secrets.
#{version := Version, root := Root, config := File, libs := Libs} = Args,
{ok, [Config]} = file:consult(File),
Loaded = [App || {App, _, _} <- application:loaded_applications()],
{ok, Boot} = file:read_file(filename:join([Root, "releases", Version, "start.boot"])),
{script, _, Script} = binary_to_term(Boot),
Specs = [{App, Props} || {apply, {application, load, [{application, App, Props}]}} <- Script],
Expected = fun(App) ->
    Own = proplists:get_value(env, proplists:get_value(App, Specs, []), []),
    Given = proplists:get_value(App, Config, []),
    Given ++ [{K, V} || {K, V} <- Own, not lists:keymember(K, 1, Given)]
end,
%% `-App Key Value` on the command line goes before every configuration (OTP: application(3)).
Named = fun Named(Words) ->
    case Words of
        [Key, _ | Rest] -> [Key | Named(Rest)];
        _ -> []
    end
end,
CommandLine = fun(App) ->
    case init:get_argument(App) of
        {ok, Given} -> lists:append([Named(Words) || Words <- Given]);
        error -> []
    end
end,
Environment = [
    {environment, {App, K}}
 || App <- Loaded,
    {K, V} <- Expected(App),
    not lists:member(atom_to_list(K), CommandLine(App)),
    application:get_env(App, K) =/= {ok, V}
],
Versions = [
    {version, {App, proplists:get_value(vsn, Props)}}
 || {App, Props} <- Specs,
    lists:member(App, Loaded),
    application:get_key(App, vsn) =/= {ok, proplists:get_value(vsn, Props)}
],
Beams = fun(Folder) ->
    [filename:join(Folder, F) || F <- filelib:wildcard("*.beam", Folder)]
end,
Module = fun(Path) -> list_to_atom(filename:basename(Path, ".beam")) end,
Consolidated = Beams(filename:join([Root, "releases", Version, "consolidated"])),
Protocols = [Module(P) || P <- Consolidated],
%% beam_lib:md5/1 is the checksum that the compiler put into the module (OTP: beam_lib(3)).
Differs = fun(Path) ->
    M = Module(Path),
    {ok, {M, Md5}} = beam_lib:md5(Path),
    case erlang:module_loaded(M) of
        true -> M:module_info(md5) =/= Md5;
        false -> false
    end
end,
Code =
    [{code, Module(P)} || Lib <- Libs, P <- Beams(filename:join(Lib, "ebin")), not lists:member(Module(P), Protocols), Differs(P)] ++
        [{protocol, Module(P)} || P <- Consolidated, Differs(P)],
%% In embedded mode nothing is loaded on demand: a module that no appup names is not there.
Missing =
    case init:get_argument(mode) of
        {ok, [["embedded"] | _]} ->
            [{missing, Module(P)} || Lib <- Libs, P <- Beams(filename:join(Lib, "ebin")), not erlang:module_loaded(Module(P))];
        _ ->
            []
    end,
Environment ++ Versions ++ Code ++ Missing.
